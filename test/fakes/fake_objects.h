// The objects of a fake API server: what a real one does with them on create, update, patch, apply and
// delete, as far as we rely on it.
//
// Left out on purpose: schemas, defaults, admission, ownership of list entries (a list in an apply is
// replaced as a whole).
#pragma once

#include <rapidjson/document.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "core/api/object_key.h"
#include "core/base/result.h"

namespace live_update {

// "/apis/apps/v1/namespaces/shop/deployments/web/status" taken apart.
struct ResourcePath {
  std::string collection;  // "/apis/apps/v1/deployments": the same in all namespaces
  std::string resource;    // "deployments"
  ObjectKey key;           // name empty: the collection; ns empty: all namespaces
  std::string subresource;
};
std::optional<ResourcePath> parse_resource_path(std::string_view path);

class FakeObjects {
 public:
  using Json = std::shared_ptr<const rapidjson::Document>;

  // One change of one object, as a watch tells it. Versions are counted over all objects.
  struct Change {
    std::int64_t version = 0;
    std::string collection;
    ObjectKey key;
    std::string type;  // ADDED, MODIFIED, DELETED
    Json object;
  };
  std::function<void(const Change&)> on_change = [](const Change&) {};
  std::function<Time()> clock = [] { return Time(); };

  // As a test puts it: whole, status included; replaces what is there.
  void set(const std::string& path, std::string_view json);

  // As a client does it. Errors are classified, their text is like the API server's.
  Result<Json> create(const ResourcePath& at, std::string_view body);
  Result<Json> replace(const ResourcePath& at, std::string_view body);
  Result<Json> merge_patch(const ResourcePath& at, std::string_view body);
  Result<Json> json_patch(const ResourcePath& at, std::string_view body);
  // Fields that `manager` applied before and leaves out now are removed.
  Result<Json> apply(const ResourcePath& at, std::string_view body, const std::string& manager);
  Result<Json> remove(const ResourcePath& at, std::string_view options = {});
  Result<Json> get(const ResourcePath& at) const;

  struct Selector {
    std::string labels, fields;  // as in a query
  };
  // In order of namespace and name.
  std::vector<Json> list(const ResourcePath& at, const Selector& selector) const;
  static bool matches(const rapidjson::Value& object, const Selector& selector);

  std::int64_t version() const { return version_; }
  // Changes after `version`, or nothing if they were compacted away.
  std::optional<std::vector<Change>> since(std::int64_t version) const;
  // Forgets all changes up to now: watches from an older version get 410.
  void compact() { history_.clear(), compacted_ = version_; }

 private:
  using Place = std::pair<std::string, ObjectKey>;  // collection, key
  using Edit = std::function<Result<>(rapidjson::Document&)>;
  Result<Json> edit(const ResourcePath& at, const Edit& change);
  Json store(const std::string& collection, const ObjectKey& key, rapidjson::Document object,
             const char* type);
  Json drop(const std::string& collection, const ObjectKey& key);
  Error not_found(const ResourcePath& at) const;

  std::map<std::string, std::map<ObjectKey, Json>> objects_;  // by collection
  std::map<std::tuple<Place, std::string, std::string>, Json>
      applied_;  // and subresource, manager: what was applied last
  std::vector<Change> history_;
  std::int64_t version_ = 100, compacted_ = 0, next_uid_ = 1;
};

}  // namespace live_update
