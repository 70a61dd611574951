#include "test/fakes/fake_objects.h"

#include <rapidjson/pointer.h>

#include <algorithm>
#include <stdexcept>

#include "core/api/codec.h"
#include "core/base/time.h"
#include "test/fakes/fake_selectors.h"

namespace live_update {
namespace {

using rapidjson::Document;
using rapidjson::Value;
using Allocator = Document::AllocatorType;

const char* const kStatus = "status";

std::string text_at(const Value& object, const char* pointer) {
  const Value* value = rapidjson::Pointer(pointer).Get(object);
  return value && value->IsString() ? value->GetString() : "";
}

void set_text(Document& object, const char* pointer, const std::string& text) {
  rapidjson::Pointer(pointer).Set(object, text.c_str());
}

Document copy(const Value& from) {
  Document out;
  out.CopyFrom(from, out.GetAllocator());
  return out;
}

Result<Document> parse_object(std::string_view body) {
  auto json = parse_json(body);
  if (!json || json->IsObject()) return json;
  return fail(ErrorKind::Invalid, "the body is no JSON object");
}

// RFC 7386.
void merge(Value& target, const Value& patch, Allocator& allocator) {
  if (!patch.IsObject()) {
    target.CopyFrom(patch, allocator);
    return;
  }
  if (!target.IsObject()) target.SetObject();
  for (const auto& member : patch.GetObject()) {
    const auto at = target.FindMember(member.name);
    if (member.value.IsNull()) {
      if (at != target.MemberEnd()) target.RemoveMember(at);
    } else if (at != target.MemberEnd()) {
      merge(at->value, member.value, allocator);
    } else {
      Value fresh;
      merge(fresh, member.value, allocator);
      target.AddMember(Value(member.name, allocator), fresh, allocator);
    }
  }
}

// Removes what `before` had and `now` leaves out.
void prune(Value& target, const Value& before, const Value& now) {
  if (!target.IsObject() || !before.IsObject()) return;
  for (const auto& member : before.GetObject()) {
    const auto at = target.FindMember(member.name);
    if (at == target.MemberEnd()) continue;
    const auto kept = now.IsObject() ? now.FindMember(member.name) : now.MemberEnd();
    if (now.IsObject() && kept != now.MemberEnd())
      prune(at->value, member.value, kept->value);
    else
      target.RemoveMember(at);
  }
}

// Puts the part of `from` that a request to `subresource` may write into `to`: the status, or all but the
// status.
void take_status(Document& to, const Value& from) {
  to.RemoveMember(kStatus);
  if (!from.HasMember(kStatus)) return;
  Value status;
  status.CopyFrom(from[kStatus], to.GetAllocator());
  to.AddMember("status", status, to.GetAllocator());
}

Document allowed(const Value& before, Document after, const std::string& subresource) {
  if (subresource == kStatus) {
    Document out = copy(before);
    take_status(out, after);
    return out;
  }
  take_status(after, before);
  return after;
}

bool same_but_version(const Document& a, const Document& b) {
  Document x = copy(a), y = copy(b);
  for (Document* it : {&x, &y}) rapidjson::Pointer("/metadata/resourceVersion").Erase(*it);
  return x == y;
}

bool spec_differs(const Document& a, const Document& b) {
  const bool in_a = a.HasMember("spec"), in_b = b.HasMember("spec");
  return in_a != in_b || (in_a && a["spec"] != b["spec"]);
}

std::string decoded(std::string_view segment) {
  std::string out;
  for (std::size_t i = 0; i < segment.size(); ++i) {
    if (segment[i] == '%' && i + 2 < segment.size()) {
      out += static_cast<char>(std::stoi(std::string(segment.substr(i + 1, 2)), nullptr, 16));
      i += 2;
    } else {
      out += segment[i];
    }
  }
  return out;
}

std::vector<std::string> segments(std::string_view path) {
  std::vector<std::string> out;
  while (!path.empty()) {
    path.remove_prefix(1);
    const auto end = std::min(path.find('/'), path.size());
    out.push_back(decoded(path.substr(0, end)));
    path.remove_prefix(end);
  }
  return out;
}

}  // namespace

std::optional<ResourcePath> parse_resource_path(std::string_view path) {
  const auto parts = segments(path);
  const std::size_t head = !parts.empty() && parts[0] == "api" ? 2 : 3;
  if (parts.size() <= head || (head == 3 && parts[0] != "apis")) return {};
  ResourcePath out;
  for (std::size_t i = 0; i < head; ++i) out.collection += "/" + parts[i];
  std::size_t at = head;
  if (parts[at] == "namespaces" && parts.size() > at + 2) {
    out.key.ns = parts[at + 1];
    at += 2;
  }
  out.resource = parts[at];
  out.collection += "/" + parts[at++];
  if (at < parts.size()) out.key.name = parts[at++];
  if (at < parts.size()) out.subresource = parts[at++];
  return out;
}

Error FakeObjects::not_found(const ResourcePath& at) const {
  return {ErrorKind::NotFound, at.resource + " \"" + at.key.name + "\" not found"};
}

Result<FakeObjects::Json> FakeObjects::get(const ResourcePath& at) const {
  const auto collection = objects_.find(at.collection);
  if (collection == objects_.end()) return std::unexpected(not_found(at));
  const auto object = collection->second.find(at.key);
  if (object == collection->second.end()) return std::unexpected(not_found(at));
  return object->second;
}

FakeObjects::Json FakeObjects::store(const std::string& collection, const ObjectKey& key, Document object,
                                     const char* type) {
  set_text(object, "/metadata/resourceVersion", std::to_string(++version_));
  const auto stored = std::make_shared<const Document>(std::move(object));
  objects_[collection][key] = stored;
  const Change change{version_, collection, key, type, stored};
  history_.push_back(change);
  on_change(change);
  return stored;
}

FakeObjects::Json FakeObjects::drop(const std::string& collection, const ObjectKey& key) {
  auto& objects = objects_[collection];
  Document last = copy(*objects.at(key));
  objects.erase(key);
  std::erase_if(applied_, [&](const auto& it) { return std::get<0>(it.first) == Place(collection, key); });
  set_text(last, "/metadata/resourceVersion", std::to_string(++version_));
  const auto gone = std::make_shared<const Document>(std::move(last));
  const Change change{version_, collection, key, "DELETED", gone};
  history_.push_back(change);
  on_change(change);
  return gone;
}

void FakeObjects::set(const std::string& path, std::string_view json) {
  auto at = parse_resource_path(path);
  auto object = parse_object(json);
  if (!at || !object) throw std::invalid_argument("FakeObjects::set(" + path + ")");
  if (at->key.name.empty()) at->key.name = text_at(*object, "/metadata/name");
  set_text(*object, "/metadata/name", at->key.name);
  if (!at->key.ns.empty()) set_text(*object, "/metadata/namespace", at->key.ns);
  const auto before = get(*at);
  if (text_at(*object, "/metadata/uid").empty()) {
    const std::string uid =
        before ? text_at(**before, "/metadata/uid") : "uid-" + std::to_string(next_uid_++);
    set_text(*object, "/metadata/uid", uid);
  }
  store(at->collection, at->key, std::move(*object), before ? "MODIFIED" : "ADDED");
}

Result<FakeObjects::Json> FakeObjects::create(const ResourcePath& path, std::string_view body) {
  ResourcePath at = path;
  auto object = parse_object(body);
  if (!object) return std::unexpected(object.error());
  if (at.key.name.empty()) at.key.name = text_at(*object, "/metadata/name");
  if (at.key.name.empty())
    at.key.name = text_at(*object, "/metadata/generateName") + std::to_string(next_uid_);
  if (get(at)) return fail(ErrorKind::AlreadyExists, at.resource + " \"" + at.key.name + "\" already exists");
  object->RemoveMember(kStatus);
  set_text(*object, "/metadata/name", at.key.name);
  if (!at.key.ns.empty()) set_text(*object, "/metadata/namespace", at.key.ns);
  set_text(*object, "/metadata/uid", "uid-" + std::to_string(next_uid_++));
  set_text(*object, "/metadata/creationTimestamp", format_time(clock()));
  rapidjson::Pointer("/metadata/generation").Set(*object, 1);
  return store(at.collection, at.key, std::move(*object), "ADDED");
}

// Changes an object that is there: checks the version it was made for, counts the generation, and does
// nothing for no change.
Result<FakeObjects::Json> FakeObjects::edit(const ResourcePath& at, const Edit& change) {
  const auto before = get(at);
  if (!before) return before;
  Document after = copy(**before);
  if (auto done = change(after); !done) return std::unexpected(done.error());
  if (text_at(after, "/metadata/resourceVersion") != text_at(**before, "/metadata/resourceVersion")) {
    return fail(ErrorKind::Conflict,
                "Operation cannot be fulfilled on " + at.resource + " \"" + at.key.name +
                    "\": the object has been modified; please apply your changes to the latest version");
  }
  if (text_at(after, "/metadata/uid") != text_at(**before, "/metadata/uid")) {
    return fail(ErrorKind::Conflict, "Operation cannot be fulfilled on " + at.resource + " \"" + at.key.name +
                                         "\": Precondition failed: UID in precondition does not match");
  }
  after = allowed(**before, std::move(after), at.subresource);
  if (same_but_version(**before, after)) return before;
  if (spec_differs(**before, after)) {
    const Value* generation = rapidjson::Pointer("/metadata/generation").Get(after);
    rapidjson::Pointer("/metadata/generation")
        .Set(after, (generation && generation->IsInt64() ? generation->GetInt64() : 0) + 1);
  }
  const Value* finalizers = rapidjson::Pointer("/metadata/finalizers").Get(after);
  const bool finalized = !finalizers || !finalizers->IsArray() || finalizers->Empty();
  const Json stored = store(at.collection, at.key, std::move(after), "MODIFIED");
  if (finalized && !text_at(*stored, "/metadata/deletionTimestamp").empty())
    return drop(at.collection, at.key);
  return stored;
}

Result<FakeObjects::Json> FakeObjects::replace(const ResourcePath& at, std::string_view body) {
  return edit(at, [&](Document& object) -> Result<> {
    auto wanted = parse_object(body);
    if (!wanted) return std::unexpected(wanted.error());
    // What a client leaves out is no precondition.
    for (const char* field : {"/metadata/resourceVersion", "/metadata/uid", "/metadata/creationTimestamp",
                              "/metadata/namespace"}) {
      if (text_at(*wanted, field).empty()) set_text(*wanted, field, text_at(object, field));
    }
    if (const Value* generation = rapidjson::Pointer("/metadata/generation").Get(object)) {
      rapidjson::Pointer("/metadata/generation").Set(*wanted, *generation);
    }
    object = std::move(*wanted);
    return {};
  });
}

Result<FakeObjects::Json> FakeObjects::merge_patch(const ResourcePath& at, std::string_view body) {
  return edit(at, [&](Document& object) -> Result<> {
    const auto patch = parse_object(body);
    if (!patch) return std::unexpected(patch.error());
    merge(object, *patch, object.GetAllocator());
    return {};
  });
}

Result<FakeObjects::Json> FakeObjects::json_patch(const ResourcePath& at, std::string_view body) {
  return edit(at, [&](Document& object) -> Result<> {
    const auto patch = parse_json(body);
    if (!patch || !patch->IsArray()) return fail(ErrorKind::Invalid, "the body is no JSON patch");
    for (const auto& operation : patch->GetArray()) {
      const std::string op = text_at(operation, "/op"), path = text_at(operation, "/path");
      const rapidjson::Pointer pointer(path.c_str());
      const Value* value =
          operation.IsObject() && operation.HasMember("value") ? &operation["value"] : nullptr;
      const Value* there = pointer.Get(object);
      if (op == "test" && (!there || !value || *there != *value)) {
        return fail(ErrorKind::Invalid,
                    "the server rejected our request due to an error in our request: testing path " + path);
      }
      if ((op == "add" || op == "replace") && value) pointer.Set(object, *value);
      if (op == "remove") pointer.Erase(object);
    }
    return {};
  });
}

Result<FakeObjects::Json> FakeObjects::apply(const ResourcePath& at, std::string_view body,
                                             const std::string& manager) {
  if (manager.empty())
    return fail(ErrorKind::Invalid,
                "PatchOptions.meta.k8s.io \"\" is invalid: fieldManager: Required value: is required for "
                "apply patch");
  auto wanted = parse_object(body);
  if (!wanted) return std::unexpected(wanted.error());
  if (text_at(*wanted, "/apiVersion").empty() || text_at(*wanted, "/kind").empty()) {
    return fail(ErrorKind::Invalid, "apiVersion and kind must be set in an apply patch");
  }
  if (!get(at) && at.subresource.empty()) {
    if (auto made = create(at, body); !made) return made;
  }
  const std::tuple who(Place(at.collection, at.key), at.subresource, manager);
  const Json last = applied_[who];
  auto result = edit(at, [&](Document& object) -> Result<> {
    if (last) prune(object, *last, *wanted);
    merge(object, *wanted, object.GetAllocator());
    return {};
  });
  if (result) applied_[who] = std::make_shared<const Document>(std::move(*wanted));
  return result;
}

Result<FakeObjects::Json> FakeObjects::remove(const ResourcePath& at, std::string_view options) {
  const auto object = get(at);
  if (!object) return object;
  const auto given = options.empty() ? Result<Document>(Document()) : parse_json(options);
  const std::string uid = given && given->IsObject() ? text_at(*given, "/preconditions/uid") : "";
  if (!uid.empty() && uid != text_at(**object, "/metadata/uid")) {
    return fail(ErrorKind::Conflict, "Precondition failed: UID in precondition: " + uid +
                                         ", UID in object meta: " + text_at(**object, "/metadata/uid"));
  }
  const Value* finalizers = rapidjson::Pointer("/metadata/finalizers").Get(**object);
  if (!finalizers || !finalizers->IsArray() || finalizers->Empty()) return drop(at.collection, at.key);
  if (!text_at(**object, "/metadata/deletionTimestamp").empty()) return object;
  Document leaving = copy(**object);
  set_text(leaving, "/metadata/deletionTimestamp", format_time(clock()));
  return store(at.collection, at.key, std::move(leaving), "MODIFIED");
}

std::vector<FakeObjects::Json> FakeObjects::list(const ResourcePath& at, const Selector& selector) const {
  std::vector<Json> out;
  const auto collection = objects_.find(at.collection);
  if (collection == objects_.end()) return out;
  for (const auto& [key, object] : collection->second) {
    if ((at.key.ns.empty() || key.ns == at.key.ns) && matches(*object, selector)) out.push_back(object);
  }
  return out;
}

bool FakeObjects::matches(const Value& object, const Selector& selector) {
  return matches_labels(object, selector.labels) && matches_fields(object, selector.fields);
}

std::optional<std::vector<FakeObjects::Change>> FakeObjects::since(std::int64_t version) const {
  if (version < compacted_) return {};
  std::vector<Change> out;
  std::ranges::copy_if(history_, std::back_inserter(out),
                       [&](const Change& change) { return change.version > version; });
  return out;
}

}  // namespace live_update
