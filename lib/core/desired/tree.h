// A tree of files by path: what is on the host, what a ChangeSet leaves behind, what a container should have.
//
// The watcher compares two of them to learn what changed; the operator merges every ChangeSet into one and
// takes from it what a new container lacks (rule 5.3). Paths are clean and relative to the root ("a/b"); the
// root itself has no entry. A deleted path stays as a tombstone, so that an accumulated history also removes
// what a container's image still has. A plain value without any lock: it belongs to whoever holds it. Copying
// is cheap in bytes: content is shared.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/api/kinds.h"
#include "core/desired/unknown.h"
#include "core/rules/host_tree.h"

namespace live_update {

// A run of a file's bytes, encoded; large files come in several (Change::offset).
struct Piece {
  std::uint64_t offset = 0;
  Encoding encoding = Encoding::Identity;
  std::shared_ptr<const std::string> content;  // never null
  bool operator==(const Piece&) const = default;
};

struct Entry {
  FileType type = FileType::File;
  bool deleted = false;  // a tombstone: `type` is what it was, the rest is empty
  std::uint32_t mode = 0;
  std::optional<Time> mtime;
  std::uint64_t size = 0;
  std::string digest;         // of files: "sha256:<hex>"
  std::string target;         // of symlinks
  std::vector<Piece> pieces;  // by offset; empty where the content is not held here
  bool doubted = false;       // all this may be out of date: it equals nothing, a tombstone not even absence

  // Rule 2.7: type, digest, mode and link target count; times do not, nor does the mode of a directory.
  bool same_state(const Entry& other) const;
  // Whether the bytes can be rebuilt from `pieces` (always for an empty file, a directory or a link).
  bool has_content() const;
  bool operator==(const Entry&) const = default;
};

class Tree : public HostTree {
 public:
  // Byte order keeps everything below "a" in one range, from "a/" up to "a0".
  using Map = std::map<std::string, Entry, std::less<>>;

  // Brings the tree to the state after `batch`, all of whose parts are joined (see `join`). Deletes come
  // first, then writes, so the order within a batch is of no matter. Delta: a deleted directory takes
  // everything below with it; a file where a directory was, and the reverse, replace it; a write without
  // content keeps the bytes held if the digest is the same (a mode change). Snapshot: whatever it does not
  // name is deleted, but for what it calls unknown (rule 7.6) and for credentials (rule 2.8): they stay as they
  // were. Build: changes nothing.
  void merge(const ChangeSetSpec& batch);

  // One path, with the same consequences for paths above and below as in `merge`. `write` takes the place of
  // what was there.
  void write(const std::string& path, Entry entry);
  void remove(const std::string& path, FileType type);

  // Drops a path and everything below without a tombstone: as if it had never been.
  void forget(const std::string& path);
  void forget_below(const std::string& directory);

  // The entry of a path that exists; nothing for tombstones and for directories that are only implied by what
  // is below.
  const Entry* find(const std::string& path) const;
  // Likewise, but also tombstones.
  const Entry* find_any(const std::string& path) const;
  // Whether anything is known of it or of what is below it, and of what is below it; tombstones included.
  bool names(const std::string& path) const { return find_any(path) || names_below(path); }
  bool names_below(const std::string& directory) const;
  // Existing entries below a directory, any depth, sorted; "" or ".": all.
  std::vector<std::string> below(const std::string& directory) const;

  // HostTree. A directory without an entry of its own exists if something below it does.
  std::optional<FileType> type(const std::string& path) const override;
  std::vector<std::string> files_below(const std::string& directory) const override;

  // Everything known as changes sorted by path: a Write per entry, a Delete per tombstone. One change per
  // path: content is there if it is held in one piece, else null (then read `pieces`).
  std::vector<Change> changes() const;

  const Map& entries() const { return entries_; }  // tombstones included
  std::size_t size() const;                        // without tombstones
  bool empty() const { return size() == 0; }
  std::uint64_t content_bytes() const;  // encoded bytes held
  void drop_tombstones();
  // Drops every single entry that is not wanted, without a tombstone; what is below it is asked for by
  // itself.
  void keep_if(const std::function<bool(const std::string&)>& wanted);
  // Copies a path and everything below from another tree.
  void take_from(const Tree& other, const std::string& path);
  void drop_content();  // keeps digests
  void drop_content(const std::string& path);
  // What is unknown stays, and differs from whatever is found there.
  void doubt(const Unknowns& unknown);
  // Something of this type may be there, or not: where nothing is known, a tombstone that `diff` does not rely on.
  void suspect(const std::string& path, FileType type);
  bool operator==(const Tree& other) const { return entries_ == other.entries_; }

 private:
  void bury_unnamed(const ChangeSetSpec& snapshot);
  void bury(Entry& entry, FileType type);
  void bury_below(const std::string& directory);
  void write_change(const Change& change);

  Map entries_;
};

// What leads from one tree to the other, sorted by path, at most one change per path (rule 2.7: a rename is a
// delete and a write; a touch is nothing). Tombstones in `to` delete what `from` has; tombstones in `from`
// count as absent, but those in doubt are deleted again where nothing is. What is `unknown` in `to` is not deleted.
std::vector<Change> diff(const Tree& from, const Tree& to, const Unknowns& unknown = {});

// The part of a tree that concerns these paths: each one, and everything below it. Sorted paths make it
// quick.
Tree part_of(const Tree& tree, const std::vector<std::string>& paths);

// The change that brings `path` to `entry`: a Delete for a tombstone.
Change change_to(const std::string& path, const Entry& entry);

// One batch from its parts, which are given in order (ChangeSetSpec::part): the header of the last, the
// changes and unknown paths of all.
ChangeSetSpec join(const std::vector<const ChangeSetSpec*>& parts);

}  // namespace live_update
