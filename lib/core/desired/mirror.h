// What `source.deletes: Mirror` may delete in a container beyond what the machine deleted (rule 4.5). Pure.
//
// How it works. Where the history knows all that the machine has, a delivery that compares carries a Mirror: the folders
// that syncs fill, and what is to be there. Somebody lists these folders in the container (core/desired/mirror_sweep.h),
// and MirrorRules tell of each path that nobody wants whether it goes. They say so only where nothing at all speaks for
// it: each host path that could be meant is routed here, not ignored (by the spec, the machine's ignore
// file, as a credential or an editor's file), and not unknown (rule 7.6). In doubt it stays.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "core/api/kinds.h"
#include "core/base/result.h"
#include "core/desired/delivery.h"
#include "core/desired/history.h"
#include "core/desired/unknown.h"
#include "core/rules/ignore_rules.h"
#include "core/rules/mapping.h"
#include "core/rules/path_rules.h"

namespace live_update {

// Why nothing may be deleted that only containers have, by what is known of the machine under rules of this reach, and
// what to do; empty: it may.
std::string mirror_obstacle(const History& history, const std::string& reach);

class MirrorRules {
 public:
  enum class Verdict : std::uint8_t {
    Stays,   // with all below
    Looked,  // it stays, but what is below it is to be looked at
    Goes,    // a folder: if all below goes
  };
  // A host path that would lead to a remote one, by that route.
  struct Origin {
    std::size_t route = 0;
    std::string path;
  };
  using Cursors = std::vector<IgnoreRules::Cursor>;  // of one walk, by route

  // `history` has no mirror_obstacle; `triggers` are of the same spec. Invalid: a pattern of the machine is malformed.
  static Result<std::shared_ptr<const MirrorRules>> make(const LiveUpdateSpec& spec,
                                                         std::vector<std::string> other_roots,
                                                         const History& history,
                                                         std::shared_ptr<PathRules> triggers);

  // Of an absolute path: clean host paths, one for each sync that fills a folder at or above it.
  std::vector<Origin> origins(std::string_view remote) const;
  // Of what is in a container and nobody wants. `origins` are those of `remote`.
  Verdict judge(const std::string& remote, bool directory, const std::vector<Origin>& origins,
                Cursors& cursors) const;
  // What a character of a name costs (WorkBudget).
  std::uint64_t cost() const { return cost_; }
  Cursors cursors() const { return Cursors(mapping_.routes().size(), IgnoreRules::Cursor(ignore_)); }
  // Whether a sync leads to this very path: it is no other sync's.
  bool is_root(std::string_view remote) const;
  // Whether the deletion of a host path is what this step waits for (rule 3.5).
  bool triggers(int step, const std::string& host_path) const;
  // Why this route is not followed; empty: it is.
  std::string bars(const Route& route) const;
  const Mapping& mapping() const { return mapping_; }

 private:
  MirrorRules(const LiveUpdateSpec& spec, std::vector<std::string> other_roots, IgnoreRules ignore,
              const Batch& snapshot, std::shared_ptr<PathRules> triggers);
  Verdict judge(const Origin& origin, bool directory, Cursors& cursors) const;

  const Mapping mapping_;
  const std::vector<std::string> other_roots_;
  std::vector<std::string> roots_;  // of all syncs: where folders and files of theirs are
  const IgnoreRules ignore_;
  const Unknowns unknown_;
  const std::shared_ptr<PathRules> triggers_;
  const std::uint64_t cost_;
};

// Of one delivery.
struct Mirror {
  struct Folder {
    std::string path, root;  // absolute, and the sync root that it must stay in (rule 4.3)
  };
  std::shared_ptr<const MirrorRules> rules;
  std::vector<Folder> folders;                   // to begin with; never empty
  std::unordered_map<std::string, bool> wanted;  // absolute paths that are to be there; whether as folders
  std::unordered_set<std::string> deleted;       // absolute paths that the delivery deletes anyway
  bool compares = false;                         // all that syncs fill, not only below deleted folders
  std::size_t most = 0;                          // spec.source.maxDeletes
};

// Of a delivery that is otherwise made. `compares`: all that syncs fill is looked at; else only what is below folders
// that the delivery deletes. Null: there is nothing to look at. What is left out, and why, is added to its notes.
std::shared_ptr<const Mirror> mirror_of(const std::shared_ptr<const MirrorRules>& rules,
                                        const History& history, Delivery& delivery, int most, bool compares);

}  // namespace live_update
