#include "test/property/disk.h"

#include <algorithm>
#include <array>
#include <random>
#include <sstream>

#include "core/base/path.h"
#include "test/fakes/change_sets.h"

namespace live_update::property {
namespace {

std::string noise() {
  std::mt19937 random(7);
  std::string bytes(700, '\0');
  for (char& c : bytes) c = static_cast<char>(random());
  return bytes;
}

struct Text {
  std::shared_ptr<const std::string> bytes;
  std::string digest;
};

const std::array<Text, kTexts>& texts() {
  static const auto all = [] {
    std::array<Text, kTexts> out;
    const std::string bytes[] = {"", "1", "22", "333", noise()};
    for (std::size_t i = 0; i < kTexts; ++i)
      out[i] = {std::make_shared<const std::string>(bytes[i]), digest_of(bytes[i])};
    return out;
  }();
  return all;
}

int text_with(const std::string& digest) {
  for (int i = 0; i < kTexts; ++i)
    if (digest_of_text(i) == digest) return i;
  return -1;
}

// "a-" and "a0" sort before and behind what is below "a".
constexpr const char* kNames[] = {"a", "a", "a", "a", "b", "b", "b", "c", "a-", "a0", ".env"};

bool is_below(std::string_view path, std::string_view folder) {
  return path.size() > folder.size() && path.starts_with(folder) && path[folder.size()] == '/';
}

}  // namespace

const std::shared_ptr<const std::string>& bytes_of(int text) {
  return texts()[static_cast<std::size_t>(text)].bytes;
}
const std::string& digest_of_text(int text) { return texts()[static_cast<std::size_t>(text)].digest; }

bool has_below(const Nodes& nodes, const std::string& path) {
  const auto it = nodes.lower_bound(path + '/');
  return it != nodes.end() && is_below(it->first, path);
}

void erase_below(Nodes& nodes, const std::string& path) {
  for (auto it = nodes.lower_bound(path + '/'); it != nodes.end() && is_below(it->first, path);)
    it = nodes.erase(it);
}

void erase(Nodes& nodes, const std::string& path) {
  erase_below(nodes, path);
  nodes.erase(path);
}

void put(Nodes& nodes, const std::string& path, const Node& node) {
  for (auto slash = path.find('/', 1); slash != std::string::npos; slash = path.find('/', slash + 1))
    nodes.insert({path.substr(0, slash), {}}).first->second = {FileType::Directory, 0, 0};
  if (node.type != FileType::Directory) erase_below(nodes, path);
  nodes[path] = node;
}

std::string draw_path(Dice& dice) {
  std::string path = dice.pick(kNames);
  while (path.size() < 6 && !dice.one_in(3)) path += std::string("/") + dice.pick(kNames);
  return path;
}

Edit Edit::draw(Dice& dice, int) {
  constexpr Kind kKinds[] = {Save, Save, Save, Save, Save, Link, Folder, Folder, Chmod, Remove, Remove, Move};
  Edit edit{dice.pick(kKinds), draw_path(dice), static_cast<int>(dice.below(4)), {}};
  if (edit.kind == Save && dice.one_in(12)) edit.value = kTexts - 1;
  if (edit.kind == Move) edit.to = draw_path(dice);
  return edit;
}

std::vector<Edit> Edit::simpler() const {
  std::vector<Edit> out;
  const auto with = [&](Kind kind, std::string path, int value) {
    out.push_back({kind, std::move(path), value, to});
  };
  if (kind == Link || kind == Chmod || kind == Move) with(Save, path, 1);
  if (const auto slash = path.rfind('/'); slash != std::string::npos) {
    with(kind, path.substr(0, slash), value);
    with(kind, path.substr(path.find('/') + 1), value);
  }
  if (path != "a" && path.find('/') == std::string::npos) with(kind, "a", value);
  if (value != 1) with(kind, path, 1);
  return out;
}

void showValue(const Edit& it, std::ostream& out) {
  switch (it.kind) {
    case Edit::Save:
      out << "save " << it.path << " '" << it.value << "'";
      break;
    case Edit::Link:
      out << "link " << it.path << " -> " << it.value;
      break;
    case Edit::Folder:
      out << "mkdir " << it.path;
      break;
    case Edit::Chmod:
      out << (it.value % 2 ? "chmod 0755 >= " : "chmod 0644 >= ") << it.path;
      break;
    case Edit::Remove:
      out << "rm -r >= " << it.path;
      break;
    case Edit::Move:
      out << "mv >= " << it.path << " " << it.to;
  }
}

void Disk::edit(const Edit& it) {
  const auto there = nodes_.lower_bound(it.path);
  switch (it.kind) {
    case Edit::Save:
      return put(nodes_, it.path, {FileType::File, it.value, 0644});
    case Edit::Link:
      return put(nodes_, it.path, {FileType::Symlink, it.value, 0});
    case Edit::Folder:
      return put(nodes_, it.path, {FileType::Directory, 0, 0});
    case Edit::Chmod:
      if (there != nodes_.end() && there->second.type == FileType::File)
        there->second.mode = it.value % 2 ? 0755 : 0644;
      return;
    case Edit::Remove:
      if (there != nodes_.end()) erase(nodes_, std::string(there->first));
      return;
    case Edit::Move:
      if (there != nodes_.end()) move(std::string(there->first), it.to);
  }
}

void Disk::move(const std::string& from, const std::string& to) {
  if (at_or_below(to, from) || at_or_below(from, to)) return;
  Nodes moved;
  for (const auto& [path, node] : nodes_)
    if (at_or_below(path, from)) moved[to + path.substr(from.size())] = node;
  erase(nodes_, from);
  erase(nodes_, to);
  for (const auto& [path, node] : moved) put(nodes_, path, node);
}

Entry entry_of(const Node& node) {
  Entry entry{.type = node.type, .mode = node.mode};
  if (node.type == FileType::Symlink) entry.target = std::to_string(node.text);
  if (node.type != FileType::File) return entry;
  entry.size = bytes_of(node.text)->size();
  entry.digest = digest_of_text(node.text);
  entry.pieces.push_back({0, Encoding::Identity, bytes_of(node.text)});
  return entry;
}

Node node_of(const Entry& entry) {
  if (entry.type == FileType::Directory) return {FileType::Directory, 0, 0};
  if (entry.type == FileType::Symlink) return {FileType::Symlink, std::stoi(entry.target), 0};
  return {FileType::File, text_with(entry.digest), entry.mode};
}

Tree Disk::tree() const {
  Tree tree;
  for (const auto& [path, node] : nodes_) tree.write(path, entry_of(node));
  return tree;
}

Nodes seen(const Tree& tree) {
  Nodes nodes;
  for (const auto& [path, entry] : tree.entries())
    if (!entry.deleted) {
      // As it is, so that a file with something below it shows.
      for (auto slash = path.find('/'); slash != std::string::npos; slash = path.find('/', slash + 1))
        nodes.insert({path.substr(0, slash), {FileType::Directory, 0, 0}});
      nodes[path] = node_of(entry);
    }
  return nodes;
}

Nodes without_folders(Nodes nodes) {
  std::erase_if(nodes, [](const auto& item) { return item.second.type == FileType::Directory; });
  return nodes;
}

void apply_all(Nodes& nodes, const std::vector<Change>& changes) {
  for (const Change& it : changes)
    if (it.op == Op::Delete) erase(nodes, it.path);
  for (const Change& it : changes)
    if (it.op == Op::Write)
      put(nodes, it.path,
          node_of({.type = it.type, .mode = it.mode, .digest = it.digest, .target = it.target}));
}

std::vector<Change> sent(const Tree& before, const Tree& now) {
  auto changes = diff(before, now);
  for (Change& it : changes)
    if (const Entry* old = before.find(it.path); old && old->digest == it.digest) it.content.reset();
  return changes;
}

std::string text_of(const Change& change) {
  std::ostringstream out;
  if (change.op == Op::Delete)
    out << "-" << change.path << (change.type == FileType::Directory ? "/" : "");
  else
    showValue(
        Node(node_of(
            {.type = change.type, .mode = change.mode, .digest = change.digest, .target = change.target})),
        out << "+" << change.path);
  if (change.op == Op::Write && change.type == FileType::File && change.size > 0 && !change.content)
    out << " (no bytes)";
  return out.str();
}

std::string text_of(const std::vector<Change>& changes) {
  std::string text;
  for (const Change& it : changes) text += (text.empty() ? "" : ", ") + text_of(it);
  return text;
}

std::string text_of(const Nodes& nodes) {
  std::ostringstream out;
  for (const auto& [path, node] : nodes) showValue(node, out << (out.tellp() > 0 ? ", " : "") << path);
  return out.str();
}

void showValue(const Node& node, std::ostream& out) {
  if (node.type == FileType::Directory) out << "/";
  if (node.type == FileType::Symlink) out << " -> " << node.text;
  if (node.type == FileType::File) out << " '" << node.text << "'" << (node.mode == 0755 ? "x" : "");
}

}  // namespace live_update::property

namespace live_update {

void showValue(const Change& change, std::ostream& out) { out << property::text_of(change); }

void showValue(const Tree& tree, std::ostream& out) {
  out << '{';
  for (bool first = true; const auto& [path, entry] : tree.entries()) {
    out << (std::exchange(first, false) ? "" : ", ") << (entry.deleted ? "-" : "") << path;
    if (!entry.deleted) showValue(property::node_of(entry), out);
  }
  out << '}';
}

}  // namespace live_update
