// Source: the part of the developer's disk that counts, as a Tree, and the bytes of its files.
//
// Does no network and knows no time. Lives on the loop's thread; reading files blocks it.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/desired/tree.h"
#include "core/rules/change_buffer.h"
#include "core/rules/plan.h"
#include "watcher/file_system.h"
#include "watcher/rules_filter.h"
#include "watcher/scanner.h"

namespace live_update {

class Source {
 public:
  // `files` outlives it. `warn`: a path and a sentence about it. `known` comes from the manifest.
  Source(const HostFiles& files, LoadedRules rules, KnownFiles known, Scanner::Warn warn,
         const Limits& limits = {});

  // Looks at everything; only files that changed since `known` are read. NotFound: the root is gone.
  Result<> scan_all();
  // Looks at what events pointed out. Files that are read keep their bytes for `fill`. NotFound: the root is
  // gone.
  Result<> look(const DirtyPaths& dirty);

  // The batch made ready for sending: what two syncs put at one remote path is completed (rule 3.3), and
  // files that a sync maps get their bytes, unless only their mode differs from `posted`. A file that is
  // refused, unreadable or just being written is left out; `warn` says so for the first two. When it can be
  // read an event follows, or `to_try_again` has it. `too_large` is given those that no ChangeSet may carry.
  std::vector<Change> fill(const LiveUpdateSpec& spec, std::vector<Change> changes, const Tree& posted,
                           std::vector<std::string>& too_large);
  // Everything there is, for a Snapshot; with bytes where a sync maps it and `posted` has not the same.
  struct Everything {
    std::vector<Change> changes;
    Unknowns unknown;  // what is there besides, and cannot be sent now (rule 7.6)
  };
  Everything everything(const Tree& posted = {});
  // Those of the unknown paths that concern a sync, with what is wrong where nobody was told.
  std::vector<std::pair<std::string, std::string>> missing(const Unknowns& unknown) const;

  // Takes the rules as they are now; returns what counts now and did not before.
  // Looks at everything. NotFound: the root is gone.
  Result<std::vector<std::string>> replace_rules(LoadedRules rules);

  // A link that is followed leads elsewhere than when the rules were loaded: they are to be loaded again.
  bool links_moved() const;

  // Credentials below a sync that were left alone since the last call (rule 2.8), each once.
  std::vector<std::string> take_held_back();

  const Tree& tree() const { return tree_; }
  std::int64_t count_files() const { return static_cast<std::int64_t>(tree_.files_below("").size()); }
  const Unknowns& unknown() const { return scanner_.unknown(); }
  std::vector<std::string> to_try_again() const { return scanner_.to_try_again(); }
  const RulesFilter& filter() const { return filter_; }
  const std::string& rules_digest() const { return rules_digest_; }
  const HostIgnores& ignores() const { return ignores_; }
  // Unknown paths that will stay so, as far as can be told: not those that are just being written.
  std::vector<std::string> lasting_unknown() const;
  const KnownFiles& known() const { return known_; }
  bool mapped(const std::string& path) const { return filter_.sends(path); }
  // A sync maps the path, or something below it, or follows it.
  bool concerns_sync(const std::string& path) const;

 private:
  std::vector<Change> going_along(const LiveUpdateSpec& spec, const std::vector<Change>& changes) const;
  std::vector<Change> fill(std::vector<Change> changes, const Tree& posted, Unknowns& left_out);
  std::optional<Change> with_content(Change change);
  void release_content();

  const HostFiles& files_;
  const Limits limits_;
  RulesFilter filter_;
  std::string rules_digest_;
  HostIgnores ignores_;
  KnownFiles known_;
  Scanner scanner_;
  Tree tree_;
};

}  // namespace live_update
