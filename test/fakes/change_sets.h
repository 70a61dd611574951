// ChangeSets for tests, in the domain's words: delta(3).saved("src/a.py").deleted("src/b.py").
#pragma once

#include <memory>
#include <string>

#include "core/api/kinds.h"

namespace live_update {

// A digest that differs for different texts; not a real one: the core compares digests and never computes
// them.
inline std::string digest_of(const std::string& text) {
  std::string hex;
  std::size_t hash = std::hash<std::string>{}(text);
  for (int i = 0; i < 64; ++i) hex += "0123456789abcdef"[(hash >> (i % 16 * 4)) & 15];
  return "sha256:" + hex;
}

class ChangeSetBuilder {
 public:
  ChangeSetBuilder(ChangeSetType type, std::int64_t sequence) {
    it_.spec.type = type;
    it_.spec.live_update = "web";
    it_.spec.session = "7f3a";
    it_.spec.sequence = sequence;
    it_.meta.ns = "shop";
    it_.meta.name = change_set_name("web", "7f3a", sequence);
    it_.meta.created = Time(std::chrono::seconds(1000 + sequence));
  }
  ChangeSetBuilder& linked(const std::string& path, const std::string& target) {
    it_.spec.changes.push_back({.path = path, .op = Op::Write, .type = FileType::Symlink, .target = target});
    return *this;
  }
  ChangeSetBuilder& saved(const std::string& path, const std::string& content = "text") {
    Change change{path};
    change.mode = 0644;
    change.size = content.size();
    change.digest = digest_of(content);
    change.content = std::make_shared<std::string>(content);
    it_.spec.changes.push_back(change);
    return *this;
  }
  // What the first disk did not have, and nobody was told of.
  ChangeSetBuilder& made(const std::string& path, const std::string& content = "text") {
    saved(path, content);
    it_.spec.changes.edit().back().is_new = true;
    return *this;
  }
  ChangeSetBuilder& mode_of(const std::string& path, std::uint32_t mode,
                            const std::string& content = "text") {
    saved(path, content);
    it_.spec.changes.edit().back().mode = mode;
    it_.spec.changes.edit().back().content.reset();
    return *this;
  }
  ChangeSetBuilder& deleted(const std::string& path, FileType type = FileType::File) {
    Change change{path};
    change.op = Op::Delete;
    change.type = type;
    it_.spec.changes.push_back(change);
    return *this;
  }
  ChangeSetBuilder& unknown(const std::string& path, bool below = false) {
    it_.spec.unknown.push_back({path, below});
    return *this;
  }
  ChangeSetBuilder& part(int part, int parts) {
    it_.spec.part = part;
    it_.spec.parts = parts;
    return *this;
  }
  ChangeSetBuilder& by(const std::string& user) {
    it_.spec.user = user;
    return *this;
  }
  ChangeSetBuilder& reach(const std::string& reach) {
    it_.spec.reach = reach;
    return *this;
  }
  ChangeSetBuilder& folder(const std::string& path) {
    it_.spec.changes.push_back({.path = path, .type = FileType::Directory, .mode = 0755});
    return *this;
  }
  // What the machine ignores beside the spec, for `deletes: Mirror`.
  ChangeSetBuilder& ignores(const std::string& patterns, const std::string& incomplete = "") {
    it_.spec.ignores = HostIgnores{patterns, incomplete};
    return *this;
  }
  ChangeSetBuilder& named(const std::string& name) {
    it_.meta.name = name;
    return *this;
  }
  ChangeSetBuilder& created(std::int64_t seconds) {
    it_.meta.created = Time(std::chrono::seconds(seconds));
    return *this;
  }
  operator std::shared_ptr<const ChangeSet>() const { return std::make_shared<ChangeSet>(it_); }

 private:
  ChangeSet it_;
};

inline ChangeSetBuilder delta(std::int64_t sequence) { return {ChangeSetType::Delta, sequence}; }
inline ChangeSetBuilder snapshot(std::int64_t sequence) { return {ChangeSetType::Snapshot, sequence}; }

}  // namespace live_update
