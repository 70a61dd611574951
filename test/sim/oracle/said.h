// What ChangeSets have said of the paths of one LiveUpdate (one uid), in the order of their sequence: the values
// that a container may have when it counts as Synced.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/api/kinds.h"

namespace live_update::sim {

// A path as a batch has it; nothing: gone.
struct SaidNode {
  FileType type = FileType::File;
  std::uint32_t mode = 0;
  std::string digest, target;
  bool operator==(const SaidNode&) const = default;
};
using SaidValue = std::optional<SaidNode>;

class Said {
 public:
  void add(const ChangeSet& change_set);
  // Whether it counts no more: another session had the sequence, or there was no room for it.
  void refuse(const std::string& name, bool refused);

  // Every path that some ChangeSet has named.
  std::set<std::string> paths() const;
  bool names(const std::string& path) const;
  // What was last said of it up to `sequence` (several, where it is not decided whose word counts), and all that
  // was said later. Nothing: nobody had said anything by then.
  std::optional<std::vector<SaidValue>> acceptable(const std::string& path, std::int64_t sequence) const;

 private:
  struct Entry {
    std::int64_t sequence = 0, last = 0;  // its own, and that of its batch
    std::string session;
    ChangeSetType type = ChangeSetType::Delta;
    std::map<std::string, SaidValue> values;
    std::vector<UnknownPath> unknown;
    bool refused = false;
  };
  bool complete(const Entry& entry) const;
  bool named_before(std::int64_t end, const std::string& path) const;
  std::optional<SaidValue> of(const Entry& entry, const std::string& path) const;

  std::map<std::string, Entry> entries_;  // by name
};

}  // namespace live_update::sim
