// RulesFilter: the rules of one LiveUpdate as the tree watch and the scanner ask for them.
//
// A path counts if it is in the context and not ignored (rule 2.1), by the spec in the cluster and by the
// ceiling of this machine (rule 8.1): what leaves is what both allow. A directory is entered if something that
// counts can be in it. The ignore file's own events are wanted, wherever it is (rule 2.4), and those of
// credentials that are held back (rule 2.8). A value; copies share the rules. Not thread-safe: it remembers the directory it was asked about last, so that paths of one
// directory cost their own names only.
#pragma once

#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/api/codec.h"
#include "core/rules/ignore_rules.h"
#include "core/rules/mapping.h"
#include "watcher/file_system.h"
#include "watcher/host_rules.h"
#include "watcher/path_filter.h"

namespace live_update {

class RulesFilter : public PathFilter {
 public:
  // `ignore_file` is the one that `rules` were made with, or the one that would be read if it were there.
  RulesFilter(const LiveUpdateSpec& spec, IgnoreRules rules, std::string ignore_file);
  // The same within a ceiling.
  RulesFilter within(RulesFilter ceiling) const;
  // The same where links that are followed lead there: what is below them is judged by its own path, too.
  RulesFilter with(FollowedLinks links) const;

  bool counts(const std::string& path) const override;
  bool enters(const std::string& directory) const override;
  bool follows(const std::string& path) const override;
  bool follows_to(const std::string& path, const std::string& end) const override;
  bool wants_events(const std::string& path) const override;
  bool holds_back(const std::string& path) const override;
  // Whether the bytes of a path that counts are sent: a sync maps it.
  bool sends(const std::string& path) const;

  const IgnoreRules& rules() const { return *rules_; }
  const Mapping& mapping() const { return mapping_; }
  const std::string& ignore_file() const { return ignore_file_; }
  const FollowedLinks& links() const { return links_; }

 private:
  // By the path, and where that is behind a followed link by the path of what it leads to; the first that
  // ignores it.
  IgnoreRules::Verdict verdict(const std::string& path) const;

  std::shared_ptr<const IgnoreRules> rules_;
  mutable IgnoreRules::Cursor cursor_, real_cursor_;
  Mapping mapping_;
  std::vector<std::string> context_;
  std::string ignore_file_;
  FollowedLinks links_;
  std::shared_ptr<const RulesFilter> ceiling_;  // null: what this says itself
};

// The rules as they are on the disk now.
struct LoadedRules {
  RulesFilter filter;
  std::string digest;   // of all that decides which paths count, to see whether it changed
  HostIgnores ignores;  // what of it the operator cannot know (rule 4.5)
};

// Reads the ignore file and compiles everything. Errors: rules of the spec that are broken, a
// named ignore file that is not there, malformed patterns, a sync.from that leads out of the root by a link;
// each with its field, or its file and line (rules 1.9, 2.2, 2.4, 3.3). What may leave is bounded by `ceiling`,
// and the credentials among it are those that the ceiling lists.
std::expected<LoadedRules, std::vector<FieldError>> load_rules(const FileSystem& files,
                                                               const LiveUpdateSpec& spec,
                                                               const LiveUpdateSpec& ceiling);

}  // namespace live_update
