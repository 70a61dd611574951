#include "core/rules/plan.h"

#include <algorithm>
#include <map>
#include <set>

#include "core/base/path.h"
#include "core/base/text.h"
#include "core/rules/mapping.h"
#include "core/rules/pattern.h"

namespace live_update {
namespace {

// A change that counts (rule 2.1), with what is found out about it.
struct Counted {
  PathChange change;
  FileType type = FileType::File;
  const Route* route = nullptr;
  bool wanted = false;  // mapped by a sync, or matched by a trigger of an Always run
  bool deleted() const { return change.op == Op::Delete; }
  const std::string& path() const { return *change.path; }
};
using Batch = std::map<std::string_view, Counted, std::less<>>;

// Sorts by `key`. Of those that have the same one, a later one takes the place if `wins` says so of it.
template <typename T, typename Wins>
void sort_unique(std::vector<T>& all, std::string T::* key, Wins wins) {
  if (!std::ranges::is_sorted(all, {}, key)) std::ranges::stable_sort(all, {}, key);
  std::size_t kept = 0;
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (kept == 0 || all[kept - 1].*key != all[i].*key) {
      if (kept != i) all[kept] = std::move(all[i]);
      ++kept;
    } else if (wins(all[i])) {
      all[kept - 1] = std::move(all[i]);
    }
  }
  all.resize(kept);
}

bool has_path_below(const Batch& batch, const std::string& directory) {
  if (directory == ".") return batch.size() > batch.count(".");
  const auto it = batch.lower_bound(directory + '/');
  return it != batch.end() && strictly_below(it->first, directory);
}

// The host tree after the batch, as far as it counts.
class HostView {
 public:
  HostView(const HostTree& host, const Batch& batch, PathRules& rules)
      : host_(host), batch_(batch), rules_(rules) {}

  std::optional<FileType> type(const std::string& path) const {
    if (const auto it = batch_.find(path); it != batch_.end()) {
      return it->second.deleted() ? std::nullopt : std::optional(it->second.type);
    }
    const auto type = host_.type(path);
    return type && !buried(path) && !rules_.ignored(path) ? type : std::nullopt;
  }

  // Files and symlinks strictly below.
  std::vector<std::string> files_below(const std::string& directory) const {
    std::set<std::string> out;
    for (const std::string& path :
         type(directory) == FileType::Directory ? host_.files_below(directory) : std::vector<std::string>{}) {
      if (is_file(path)) out.insert(path);
    }
    const std::string from = directory == "." ? "" : directory + '/';
    for (auto it = batch_.lower_bound(from); it != batch_.end() && it->first.starts_with(from); ++it) {
      if (is_file(it->second.path())) out.insert(it->second.path());
    }
    return {out.begin(), out.end()};
  }

  bool is_file(const std::string& path) const {
    const auto type = this->type(path);
    return type && *type != FileType::Directory;
  }

 private:
  // Below a path that is gone or a directory no more.
  bool buried(const std::string& path) const {
    for (std::string_view above = parent_path(path);; above = parent_path(above)) {
      const auto it = batch_.find(above);
      if (it != batch_.end() && (it->second.deleted() || it->second.type != FileType::Directory)) return true;
      if (above == ".") return false;
    }
  }

  const HostTree& host_;
  const Batch& batch_;
  PathRules& rules_;
};

class Planner {
 public:
  Planner(const LiveUpdateSpec& spec, PathRules& rules, const HostTree& host,
          const std::vector<std::string>& other_roots)
      : spec_(spec), rules_(rules), host_(host), mapping_(spec, other_roots), view_(host, batch_, rules) {}

  Plan plan(std::vector<PathChange> changes, PlanMode mode) {
    count(std::move(changes));
    learn_types();
    match();
    const bool falls_back = mode != PlanMode::CatchUp;
    const bool any_wanted = std::ranges::any_of(batch_, [](const auto& it) { return it.second.wanted; });
    if (falls_back && !plan_.stopped.empty()) {
      plan_.decision = FallBack{FallBackReason::StopPath};
    } else if (falls_back && !plan_.unmatched.empty() && spec_.source.on_unmatched == OnUnmatched::FallBack) {
      plan_.decision = FallBack{FallBackReason::Unmatched};
    } else if (any_wanted) {
      plan_.decision = mode == PlanMode::Verdict ? Update() : update();
    }
    return std::move(plan_);
  }

 private:
  // Rules 2.1, 2.2.
  void count(std::vector<PathChange> changes) {
    std::ranges::sort(changes, {}, [](const PathChange& it) -> const std::string& { return *it.path; });
    for (const PathChange& change : changes) {
      const std::string& path = *change.path;
      const PathRules::Said& said = rules_.of(path);
      if (said.ignored.ignored) {
        plan_.ignored.push_back({path, std::string(said.ignored.by), said.ignored.whole});
      } else if (!said.inside) {
        plan_.outside.push_back(path);
      } else {
        batch_[path] = {change, change.type, mapping_.route(path), false};
      }
    }
  }

  // Rule 3.3: what a path is where its change alone does not say so.
  void learn_types() {
    for (auto& [key, it] : batch_) {
      const std::string& path = it.path();
      const bool link = it.type == FileType::Symlink && it.route && it.route->from == path;
      const bool leads_to_directory = !it.deleted() && link && host_.type(path) == FileType::Directory;
      const bool untyped = it.type == FileType::File && (it.deleted() || !host_.type(path));
      if (leads_to_directory || path == "." || (untyped && has_path_below(batch_, path)))
        it.type = FileType::Directory;
    }
  }

  // Rules 3, 3.1, 3.2: what stops, what is wanted, and what nobody wants.
  void match() {
    for (auto& [key, it] : batch_) {
      const std::string& path = it.path();
      const PathRules::Said& said = rules_.of(path);
      const std::string* stop = said.stop;
      if (stop) plan_.stopped.push_back({path, *stop});
      if (it.route) refuse_kernel_path(path, it);
      if (it.route && !it.deleted()) refuse_link_to_root(path, it);
      it.wanted = it.route || said.always;
      if (!stop && !it.wanted && it.type != FileType::Directory) plan_.unmatched.push_back(path);
    }
  }

  // Rule 1.4, for what only the change shows.
  void refuse_kernel_path(const std::string& path, const Counted& it) {
    const std::string remote = it.route->remote(path, it.type == FileType::Directory);
    if (!is_kernel_path(remote)) return;
    plan_.refused.push_back({"spec.steps[" + std::to_string(it.route->step) + "].sync.to",
                             "sends " + visible(path) + " to " + visible(remote) +
                                 ": must not be /proc, /sys or /dev or below, which belong to the kernel: "
                                 "choose another folder"});
  }

  // Rule 4.3: what goes through that sync later would land where the link leads.
  bool is_link_to_root(const std::string& path, FileType type, const Route& route) const {
    return type == FileType::Symlink &&
           (path == route.from || mapping_.leads_to_root(route.remote(path, false)));
  }

  void refuse_link_to_root(const std::string& path, const Counted& it) {
    if (!is_link_to_root(path, it.type, *it.route)) return;
    plan_.refused.push_back(
        {"spec.steps[" + std::to_string(it.route->step) + "].sync.to",
         "sends the symlink " + path + " to " + it.route->remote(path, false) +
             ": a sync leads to that place, or through it, and would go where the link leads: "
             "sync what the link points to"});
  }

  Update update() {
    for (const auto& [key, it] : batch_) {
      const std::string& path = it.path();
      if (!it.route) continue;
      const std::string remote = it.route->remote(path, it.type == FileType::Directory);
      if (is_kernel_path(remote)) continue;
      if (it.deleted()) {
        remove(path, it, remote);
      } else if (!taken_by_earlier(path, it, remote)) {
        copy(path, it.type, *it.route);
      }
    }
    sort_unique(update_.copies, &Copy::from, [](const Copy&) { return true; });
    sort_unique(update_.deletes, &RemoteDelete::to,
                [](const RemoteDelete& it) { return it.type == FileType::Directory; });
    runs();
    return std::move(update_);
  }

  void copy(const std::string& path, FileType type, const Route& route) {
    if (is_link_to_root(path, type, route)) return;
    const bool directory = type == FileType::Directory;
    if (update_.copies.empty()) update_.copies.reserve(batch_.size());
    update_.copies.push_back({path, route.remote(path, directory), type, route.root(path, directory)});
  }

  // The other existing host paths that map to `remote` itself, in the order of their syncs.
  struct Other {
    std::string path;
    FileType type;
    const Route* route;
  };
  std::vector<Other> others_at(const std::string& remote, const std::string& except) const {
    std::vector<Other> out;
    if (!mapping_.shared(remote)) return out;
    for (const Route& route : mapping_.routes()) {
      std::set<std::string> candidates;
      if (at_or_below(remote, route.to))
        candidates.insert(join_path(route.from, relative_to(remote, route.to)));
      candidates.insert(route.from);
      for (const std::string& path : candidates) {
        if (path == except || mapping_.route(path) != &route) continue;
        const auto type = view_.type(path);
        if (type && route.remote(path, *type == FileType::Directory) == remote)
          out.push_back({path, *type, &route});
      }
    }
    return out;
  }

  // Where two existing files map to one remote path, the sync declared first wins. Two directories share it.
  bool taken_by_earlier(const std::string& path, const Counted& it, const std::string& remote) const {
    return std::ranges::any_of(others_at(remote, path), [&](const Other& other) {
      const bool both_directories = it.type == FileType::Directory && other.type == FileType::Directory;
      return other.route < it.route && !both_directories;
    });
  }

  void remove(const std::string& path, const Counted& it, const std::string& remote) {
    for (const Other& other : others_at(remote, path)) {
      if (it.type == FileType::Directory && other.type == FileType::Directory) continue;
      return copy(other.path, other.type, *other.route);
    }
    if (spec_.source.deletes == DeletePolicy::Never) return;
    if (update_.deletes.empty()) update_.deletes.reserve(batch_.size());
    update_.deletes.push_back(
        {path, remote, it.type, it.route->root(path, it.type == FileType::Directory), kept_below(remote)});
  }

  // The remote paths strictly below `remote` that existing host files map to.
  std::vector<std::string> kept_below(const std::string& remote) const {
    std::set<std::string> out;
    for (const Route& route : mapping_.routes()) {
      std::vector<std::string> candidates;
      if (at_or_below(remote, route.to)) {
        candidates = view_.files_below(join_path(route.from, relative_to(remote, route.to)));
      } else if (strictly_below(route.to, remote)) {
        candidates = view_.files_below(route.from);
      }
      if (strictly_below(route.remote(route.from, false), remote) && view_.is_file(route.from))
        candidates.push_back(route.from);
      for (const std::string& path : candidates) {
        const std::string to = route.remote(path, false);
        if (mapping_.route(path) == &route && strictly_below(to, remote)) out.insert(to);
      }
    }
    return {out.begin(), out.end()};
  }

  // Rule 3.5.
  bool fires(int step, const std::vector<std::string>& triggers, bool always) {
    if (triggers.empty()) return true;
    return std::ranges::any_of(batch_, [&](const auto& it) {
      if (!always && !it.second.route) return false;
      const std::vector<int>& steps = rules_.of(it.second.path()).triggered;
      return std::ranges::find(steps, step) != steps.end();
    });
  }

  void runs() {
    for (std::size_t i = 0; i < spec_.steps.size(); ++i) {
      const int step = static_cast<int>(i);
      if (const auto* run = std::get_if<Run>(&spec_.steps[i]);
          run && fires(step, run->triggers, run->when == RunWhen::Always)) {
        auto& runs = run->phase == RunPhase::BeforeSync ? update_.before_sync : update_.after_sync;
        runs.push_back({step, run->argv()});
      }
      if (const auto* restart = std::get_if<Restart>(&spec_.steps[i]);
          restart && fires(step, restart->triggers, false)) {
        update_.restart = step;
      }
    }
  }

  const LiveUpdateSpec& spec_;
  PathRules& rules_;
  const HostTree& host_;
  const Mapping mapping_;
  Batch batch_;  // sorted by path
  HostView view_;
  Plan plan_;
  Update update_;
};

}  // namespace

Plan plan(const LiveUpdateSpec& spec, const IgnoreRules& ignore, const std::vector<Change>& changes,
          const HostTree& host, PlanMode mode, const std::vector<std::string>& other_roots) {
  const std::shared_ptr<const IgnoreRules> not_ours(std::shared_ptr<void>(), &ignore);
  PathRules rules(spec, not_ours);
  return plan(spec, rules, changes, host, mode, other_roots);
}

Plan plan(const LiveUpdateSpec& spec, PathRules& rules, const std::vector<Change>& changes,
          const HostTree& host, PlanMode mode, const std::vector<std::string>& other_roots) {
  std::vector<PathChange> all;
  all.reserve(changes.size());
  for (const Change& it : changes) all.push_back({&it.path, it.op, it.type});
  return plan(spec, rules, std::move(all), host, mode, other_roots);
}

Plan plan(const LiveUpdateSpec& spec, PathRules& rules, std::vector<PathChange> changes, const HostTree& host,
          PlanMode mode, const std::vector<std::string>& other_roots) {
  return Planner(spec, rules, host, other_roots).plan(std::move(changes), mode);
}

}  // namespace live_update
