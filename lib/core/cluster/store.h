// The objects of one kind as a reflector last saw them. Readers hold a `const Store<T>&`; only the reflector
// has the writer.
//
// Objects are shared and never changed: a reader may keep one for as long as it likes. Loop thread only.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/api/object_key.h"

namespace live_update {

template <typename T>
using Shared = std::shared_ptr<const T>;

template <typename T>
class StoreWriter;

template <typename T>
class Store {
 public:
  using Objects = std::map<ObjectKey, Shared<T>>;

  // Null if there is none.
  Shared<T> get(const ObjectKey& key) const {
    const auto found = objects_.find(key);
    return found == objects_.end() ? nullptr : found->second;
  }
  const Objects& all() const { return objects_; }
  // In order of name.
  std::vector<Shared<T>> in_namespace(const std::string& ns) const {
    std::vector<Shared<T>> out;
    for (auto it = objects_.lower_bound({ns, ""}); it != objects_.end() && it->first.ns == ns; ++it)
      out.push_back(it->second);
    return out;
  }
  std::size_t size() const { return objects_.size(); }

 private:
  friend class StoreWriter<T>;
  Objects objects_;
};

// What became of one object. Added: `before` is null. Removed: `after` is null.
template <typename T>
struct ObjectChange {
  ObjectKey key;
  Shared<T> before, after;
};

// A full list is collected apart and swapped in as one: readers never see half of it.
template <typename T>
class StoreWriter {
 public:
  using OnChange = std::function<void(const ObjectChange<T>&)>;
  // `on_change` is called after the store has changed; it may read the store, but not call the writer.
  StoreWriter(Store<T>& store, OnChange on_change) : store_(store), on_change_(std::move(on_change)) {}

  void list_begins() {
    list_.clear();
    listing_ = true;
  }
  void apply(T object) {
    const ObjectKey key = key_of(object.meta);
    auto shared = std::make_shared<const T>(std::move(object));
    if (listing_)
      list_[key] = std::move(shared);
    else
      put(key, std::move(shared));
  }
  void remove(const ObjectKey& key) {
    if (listing_)
      list_.erase(key);
    else
      put(key, nullptr);
  }
  // The object is there, but cannot be read: what was known of it stays.
  void keep(const ObjectKey& key) {
    if (auto known = store_.get(key); known && listing_) list_[key] = std::move(known);
  }
  void list_ends() {
    listing_ = false;
    std::swap(store_.objects_, list_);
    std::vector<ObjectChange<T>> changes;
    for (const auto& [key, before] : list_) {
      if (!store_.objects_.contains(key)) changes.push_back({key, before, nullptr});
    }
    for (const auto& [key, after] : store_.objects_) {
      const auto before = list_.find(key);
      if (before == list_.end())
        changes.push_back({key, nullptr, after});
      else if (*before->second != *after)
        changes.push_back({key, before->second, after});
    }
    list_.clear();
    for (const auto& change : changes) on_change_(change);
  }

 private:
  void put(const ObjectKey& key, Shared<T> after) {
    Shared<T> before = store_.get(key);
    if (!before && !after) return;
    if (after)
      store_.objects_[key] = after;
    else
      store_.objects_.erase(key);
    on_change_({key, std::move(before), std::move(after)});
  }

  Store<T>& store_;
  OnChange on_change_;
  typename Store<T>::Objects list_;
  bool listing_ = false;
};

}  // namespace live_update
