#include "watcher/manifest_file.h"

#include <spdlog/fmt/fmt.h>
#include <sys/stat.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iostream>
#include <memory>
#include <set>
#include <sstream>

#include "core/base/json.h"
#include "core/base/text.h"
#include "watcher/yaml_scalar.h"

namespace live_update {
namespace {

using rapidjson::Value;
using Allocator = rapidjson::Document::AllocatorType;

constexpr std::size_t kMaxBytes = 4u << 20;
constexpr int kMaxValues = 50'000;  // after aliases are unfolded
constexpr int kMaxDepth = 64;

struct Node;
using NodePtr = std::shared_ptr<Node>;
struct Node {
  enum class Kind { Null, Scalar, List, Map } kind = Kind::Null;
  YAML::Mark mark;
  std::string tag, text;       // of a scalar
  std::vector<NodePtr> items;  // of a list; of a map: key, value, key, value
  bool open = false;           // its end has not been read yet
};

// The events of one document as a tree; an alias is the same node once more.
class TreeBuilder : public YAML::EventHandler {
 public:
  NodePtr root;
  YAML::Mark start;

  void OnDocumentStart(const YAML::Mark& mark) override { start = mark; }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override { add(Node::Kind::Null, mark, anchor); }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const auto found = anchors_.find(anchor);
    if (found == anchors_.end() || found->second->open)
      throw YAML::ParserException(mark, "an alias of itself");
    attach(found->second);
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& text) override {
    const NodePtr node = add(Node::Kind::Scalar, mark, anchor);
    node->tag = tag;
    node->text = text;
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    open(Node::Kind::List, mark, anchor);
  }
  void OnSequenceEnd() override { close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    open(Node::Kind::Map, mark, anchor);
  }
  void OnMapEnd() override { close(); }

 private:
  NodePtr add(Node::Kind kind, const YAML::Mark& mark, YAML::anchor_t anchor) {
    auto node = std::make_shared<Node>();
    node->kind = kind;
    node->mark = mark;
    if (anchor) anchors_[anchor] = node;
    attach(node);
    return node;
  }
  void attach(const NodePtr& node) {
    if (open_.empty())
      root = node;
    else
      open_.back()->items.push_back(node);
  }
  void open(Node::Kind kind, const YAML::Mark& mark, YAML::anchor_t anchor) {
    const NodePtr node = add(kind, mark, anchor);
    node->open = true;
    open_.push_back(node);
  }
  void close() {
    open_.back()->open = false;
    open_.pop_back();
  }

  std::vector<NodePtr> open_;
  std::map<YAML::anchor_t, NodePtr> anchors_;
};

// A tree as JSON, with the place of each field.
class Converter {
 public:
  Converter(Manifest& out, Allocator& allocator) : out_(out), allocator_(allocator) {}

  Value convert(const Node& node, const std::string& path, int depth = 0) {
    if (!count() || depth > kMaxDepth) return too_much(path);
    switch (node.kind) {
      case Node::Kind::Null:
        return Value();
      case Node::Kind::Scalar:
        return readable(node, path) ? scalar(node) : Value();
      case Node::Kind::List:
        return list(node, path, depth);
      case Node::Kind::Map:
        return map(node, path, depth);
    }
    return Value();
  }
  void note(const std::string& path, const YAML::Mark& mark) {
    out_.places.try_emplace(path, Manifest::Place{mark.line + 1, mark.column + 1});
  }

 private:
  struct Entry {
    std::string name;
    const Node* key;
    const Node* value;
  };

  bool count() { return ++values_ <= kMaxValues; }
  Value too_much(const std::string& path) {
    if (!std::exchange(complained_, true)) {
      out_.errors.push_back({path, "is nested too deeply, or its aliases unfold to more than " +
                                       std::to_string(kMaxValues) + " values"});
    }
    return Value();
  }

  Value text(const std::string& text) {
    return Value(text.data(), static_cast<rapidjson::SizeType>(text.size()), allocator_);
  }

  // yaml-cpp turns the escapes \_ and \N into bytes that are no UTF-8; nothing else of what it gives us can
  // be wrong.
  bool readable(const Node& node, const std::string& path) {
    if (to_utf8(node.text) == node.text) return true;
    out_.errors.push_back(
        {path, "has an escape \\_ or \\N, which is not supported: write the character itself"});
    return false;
  }

  // "?" is a plain scalar, "!" a quoted one; of the explicit tags those of the standard types count.
  Value scalar(const Node& node) {
    const bool typed = node.tag == "?" || node.tag.empty() || node.tag.ends_with(":int") ||
                       node.tag.ends_with(":float") || node.tag.ends_with(":bool") ||
                       node.tag.ends_with(":null");
    return typed ? plain_scalar(node.text, allocator_) : text(node.text);
  }

  Value list(const Node& node, const std::string& path, int depth) {
    Value out(rapidjson::kArrayType);
    for (std::size_t i = 0; i < node.items.size() && values_ <= kMaxValues; ++i) {
      const std::string here = path + "[" + std::to_string(i) + "]";
      note(here, node.items[i]->mark);
      out.PushBack(convert(*node.items[i], here, depth + 1), allocator_);
    }
    return out;
  }

  Value map(const Node& node, const std::string& path, int depth) {
    std::set<std::string> seen;
    std::vector<Entry> entries;
    collect(node, path, depth, seen, entries);
    Value out(rapidjson::kObjectType);
    for (const Entry& entry : entries) {
      const std::string here = path.empty() ? entry.name : path + "." + entry.name;
      note(here, entry.key->mark);
      out.AddMember(text(entry.name), convert(*entry.value, here, depth + 1), allocator_);
    }
    return out;
  }

  // The map's own entries, then those of its merge keys that it does not have itself.
  void collect(const Node& node, const std::string& path, int depth, std::set<std::string>& seen,
               std::vector<Entry>& out) {
    if (depth > kMaxDepth) {
      too_much(path);
      return;
    }
    std::vector<const Node*> merged;
    std::map<std::string, int> own;
    for (std::size_t i = 0; i + 1 < node.items.size(); i += 2) {
      if (!count()) {
        too_much(path);
        return;
      }
      const Node& key = *node.items[i];
      if (key.kind == Node::Kind::Scalar && key.tag == "?" && key.text == "<<") {
        merged.push_back(node.items[i + 1].get());
        continue;
      }
      const std::string name = name_of(key, path);
      if (name.empty()) continue;
      if (const auto [first, fresh] = own.try_emplace(name, key.mark.line + 1); !fresh) {
        const std::string field = path.empty() ? name : path + "." + name;
        note(field, key.mark);
        out_.errors.push_back(
            {field, "is given twice, first in line " + std::to_string(first->second) + ": remove one"});
      } else if (seen.insert(name).second) {
        out.push_back({name, &key, node.items[i + 1].get()});
      }
    }
    for (const Node* from : merged) merge(*from, path, depth, seen, out);
  }

  void merge(const Node& from, const std::string& path, int depth, std::set<std::string>& seen,
             std::vector<Entry>& out) {
    if (from.kind == Node::Kind::Map) return collect(from, path, depth + 1, seen, out);
    if (from.kind != Node::Kind::List || depth > kMaxDepth) {
      out_.errors.push_back({path, "has a merge key (<<) whose value is no map"});
      return;
    }
    for (const NodePtr& item : from.items) merge(*item, path, depth + 1, seen, out);
  }

  // The text of a key; numbers as kubectl writes them. Empty, with an error, if it is no text.
  std::string name_of(const Node& key, const std::string& path) {
    const auto wrong = [&](const std::string& message) {
      out_.errors.push_back(
          {path, "has a key in line " + std::to_string(key.mark.line + 1) + " that " + message});
      return std::string();
    };
    if (key.kind == Node::Kind::List || key.kind == Node::Kind::Map) return wrong("is no text");
    if (!readable(key, path)) return {};
    const Value value = key.kind == Node::Kind::Null ? Value() : scalar(key);
    if (value.IsInt64() || value.IsUint64()) return to_text(value);
    if (!value.IsString())
      return wrong("YAML reads as " + live_update::describe(value) + ": put it in quotes");
    if (key.text.empty()) return wrong("is empty");
    return key.text;
  }

  Manifest& out_;
  Allocator& allocator_;
  int values_ = 0;
  bool complained_ = false;
};

Manifest read_document(const std::string& file, const Node& root) {
  Manifest out;
  out.file = file;
  rapidjson::Document document;
  Converter converter(out, document.GetAllocator());
  converter.note("", root.mark);
  static_cast<Value&>(document) = converter.convert(root, "");
  StrictLiveUpdate read = decode_live_update_strict(document);
  out.live_update = std::move(read.value);
  out.errors.insert(out.errors.end(), read.errors.begin(), read.errors.end());
  out.json = to_text(document);
  return out;
}

// JSON that YAML cannot read, such as one with \ud83d\ude42 in it: without places.
std::optional<Manifest> read_json(const std::string& file, std::string_view text) {
  const auto begin = text.find_first_not_of(" \t\r\n");
  if (begin == std::string_view::npos || text[begin] != '{') return {};
  const auto json = parse_json(text);
  if (!json) return {};
  Manifest out;
  out.file = file;
  StrictLiveUpdate read = decode_live_update_strict(*json);
  out.live_update = std::move(read.value);
  out.errors = std::move(read.errors);
  out.json = to_text(*json);
  return out;
}

std::string shown_name(const std::string& file) { return file == "-" ? "stdin" : file; }

Result<std::string> read_all(std::istream& in, const std::string& file) {
  std::string text(kMaxBytes + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (in.bad()) return fail(ErrorKind::Io, file + ": cannot be read: " + std::strerror(errno));
  text.resize(static_cast<std::size_t>(in.gcount()));
  if (text.size() > kMaxBytes)
    return fail(ErrorKind::TooLarge, file + ": is larger than 4 MiB, so it is hardly a LiveUpdate");
  return text;
}

}  // namespace

Manifest::Place Manifest::place(std::string_view field) const {
  for (std::string path(field);; path.resize(path.find_last_of(".["))) {
    if (const auto found = places.find(path); found != places.end()) return found->second;
    if (path.find_last_of(".[") == std::string::npos) break;
  }
  const auto root = places.find("");
  return root == places.end() ? Place() : root->second;
}

std::string Manifest::describe(const FieldError& error) const {
  const Place at = place(error.field);
  std::string out = file;
  if (at.line) out += ":" + std::to_string(at.line) + ":" + std::to_string(at.column);
  if (!error.field.empty()) out += ": " + error.field;
  return out + ": " + error.message;
}

Result<std::vector<Manifest>> parse_manifests(const std::string& file, std::string_view text) {
  if (to_utf8(text) != text) return fail(ErrorKind::Invalid, file + ": is not UTF-8");
  std::vector<Manifest> out;
  try {
    std::istringstream stream{std::string(text)};
    YAML::Parser parser(stream);
    for (int last = -1;;) {
      TreeBuilder builder;
      if (!parser.HandleNextDocument(builder)) break;
      // yaml-cpp makes empty documents out of what cannot begin one, for ever.
      if (std::exchange(last, builder.start.pos) == builder.start.pos)
        throw YAML::ParserException(builder.start, "nothing can begin like this");
      if (builder.root && builder.root->kind != Node::Kind::Null)
        out.push_back(read_document(file, *builder.root));
    }
  } catch (const YAML::Exception& error) {
    if (auto json = read_json(file, text)) return std::vector{std::move(*json)};
    return fail(ErrorKind::Invalid, file + ":" + std::to_string(error.mark.line + 1) + ":" +
                                        std::to_string(error.mark.column + 1) +
                                        ": is not YAML: " + error.msg);
  }
  if (out.empty()) return fail(ErrorKind::Invalid, file + ": has no LiveUpdate in it");
  return out;
}

Result<std::vector<Manifest>> read_manifests(const std::string& file) {
  const std::string name = shown_name(file);
  std::ifstream opened;
  if (file != "-") {
    opened.open(file, std::ios::binary);
    if (!opened) return fail(ErrorKind::Io, name + ": cannot be opened: " + std::strerror(errno));
  }
  auto text = read_all(file == "-" ? std::cin : opened, name);
  if (!text) return std::unexpected(text.error());
  return parse_manifests(name, *text);
}

std::string file_state(const std::string& file) {
  struct stat info{};
  if (stat(file.c_str(), &info) != 0) return "missing";
  return fmt::format("{} {} {} {} {}.{}", info.st_dev, info.st_ino, info.st_size, info.st_mode,
                     info.st_mtim.tv_sec, info.st_mtim.tv_nsec);
}

bool says_already(const LiveUpdate& there, const LiveUpdate& wanted) {
  const auto has_all = [](const auto& have, const auto& named) {
    return std::ranges::all_of(named, [&](const auto& it) {
      const auto found = have.find(it.first);
      return found != have.end() && found->second == it.second;
    });
  };
  return there.spec == wanted.spec && has_all(there.meta.labels, wanted.meta.labels) &&
         has_all(there.meta.annotations, wanted.meta.annotations);
}

}  // namespace live_update
