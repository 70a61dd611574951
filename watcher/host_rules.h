// The rules of a LiveUpdate at a root: its patterns with the ignore file, what only the files can show to be
// wrong, the host tree as the planner asks for it.
#pragma once

#include <expected>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/api/kinds.h"
#include "core/rules/mapping.h"
#include "core/rules/plan.h"
#include "watcher/file_system.h"

namespace live_update {

// The path of the ignore file: spec.source.ignoreFile, clean, or ".dockerignore".
std::string ignore_file_of(const LiveUpdateSpec& spec);

// The patterns of the spec and of the ignore file (rules 2.2 to 2.4).
struct LoadedIgnoreRules {
  IgnoreRules rules;
  std::string text;  // of the ignore file; empty if there is none
};
// Errors: the file is named and does not exist, it cannot be read, a pattern is malformed.
std::expected<LoadedIgnoreRules, std::vector<FieldError>> load_ignore_rules(const LiveUpdateSpec& spec,
                                                                            const FileSystem& files);

// What the operator is told of an ignore file's text, for `deletes: Mirror` (rule 4.5): its patterns, or why not.
HostIgnores told_ignores(std::string_view text);

// Where the links that a mapping follows lead now, as long as that is inside the root (watcher/links.h).
using FollowedLinks = std::map<std::string, std::string>;
FollowedLinks followed_links(const Mapping& mapping, const FileSystem& files);
// What a path that is, or lies below, one of these is called without links; nothing: it is behind none.
std::optional<std::string> real_path(const FollowedLinks& links, const std::string& path);

// A sync.from, or a folder on the way to it, that is a link out of the root (rule 3.3) or to what is ignored
// (rule 2.2), or one that `ceiling`, which may be the same spec, sends as a link.
std::vector<FieldError> link_errors(const LiveUpdateSpec& spec, const LiveUpdateSpec& ceiling,
                                    const IgnoreRules& rules, const FileSystem& files);

// The breaches that need the files at hand, for a spec that `validate` has no complaint about: a sync.from or
// trigger that is ignored as a whole (rule 2.2), a sync.from that leads out of the root (rule 3.3), a file that
// would go to /proc, /sys or /dev (rule 1.4).
std::vector<FieldError> root_errors(const LiveUpdateSpec& spec, const IgnoreRules& rules,
                                    const FileSystem& files);

// What is on the disk. Links are not followed but for those that Mapping::follows and that end inside the
// root; directories that are
// ignored as a whole are not entered; sockets, FIFOs and devices do not exist.
class DiskTree : public HostTree {
 public:
  // All outlive this.
  DiskTree(const FileSystem& files, const Mapping& mapping, const IgnoreRules& rules)
      : files_(files), mapping_(mapping), rules_(rules) {}
  std::optional<FileType> type(const std::string& path) const override;
  std::vector<std::string> files_below(const std::string& directory) const override;

 private:
  bool behind_link(const std::string& path) const;
  std::optional<FileType> link_type(const std::string& path) const;

  const FileSystem& files_;
  const Mapping& mapping_;
  const IgnoreRules& rules_;
};

}  // namespace live_update
