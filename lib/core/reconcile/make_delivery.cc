#include "core/reconcile/make_delivery.h"

#include <algorithm>
#include <optional>
#include <string_view>
#include <unordered_set>
#include <utility>

#include "core/base/path.h"
#include "core/desired/mirror.h"
#include "core/rules/plan.h"

namespace live_update {
namespace {

// The step of this number, if there is one of this kind: numbers come from a status, too.
template <typename Kind>
const Kind* step_as(const LiveUpdateSpec& spec, int step) {
  if (step < 0 || static_cast<std::size_t>(step) >= spec.steps.size()) return nullptr;
  return std::get_if<Kind>(&spec.steps[static_cast<std::size_t>(step)]);
}

DeliveryRun to_delivery_run(int step, const Run& run) {
  return {step, run.argv(), run.working_dir, run.timeout_seconds, run.on_failure};
}

std::vector<DeliveryRun> to_delivery_runs(const LiveUpdateSpec& spec,
                                          const std::vector<PlannedRun>& planned) {
  std::vector<DeliveryRun> runs;
  for (const PlannedRun& it : planned) runs.push_back(to_delivery_run(it.step, *step_as<Run>(spec, it.step)));
  return runs;
}

// Runs that failed before are due with the next batch, in their place among those of the batch (rule 4.7).
void add_failed(std::vector<DeliveryRun>& runs, const LiveUpdateSpec& spec, const std::vector<int>& failed,
                RunPhase phase) {
  for (int step : failed) {
    const Run* run = step_as<Run>(spec, step);
    if (!run || run->phase != phase) continue;
    const auto planned = std::ranges::find(runs, step, &DeliveryRun::step);
    if (planned == runs.end())
      runs.push_back(to_delivery_run(step, *run));
    else
      planned->due = {};
  }
  std::ranges::stable_sort(runs, {}, &DeliveryRun::step);
}

// A restart that a failed run kept back is due with the next batch, like that run (rule 4.7).
std::optional<int> skipped_restart(const LiveUpdateSpec& spec, const std::vector<int>& failed) {
  const auto step =
      std::ranges::find_if(failed, [&](int it) { return step_as<Restart>(spec, it) != nullptr; });
  return step == failed.end() ? std::nullopt : std::optional(*step);
}

DeliveryWrite to_write(Copy copy, const Entry& entry, const Tree& all) {
  DeliveryWrite write{std::move(copy.to), std::move(copy.root), entry.type,   entry.mode,
                      entry.mtime,        entry.size,           entry.digest, entry.target,
                      entry.pieces,       std::move(copy.from)};
  // A change of mode alone has no bytes of its own; the ones we hold serve a container that lacks them.
  if (const Entry* known = all.find(write.from);
      !entry.has_content() && known && known->digest == entry.digest)
    write.pieces = known->pieces;
  return write;
}

bool spares(Spared spared, const Restart& restart) {
  if (std::holds_alternative<RestartContainer>(restart.how)) return spared != Spared::Nothing;
  return std::holds_alternative<RestartSignal>(restart.how) && spared == Spared::Signals;
}

// One delivery being made.
class Maker {
 public:
  Maker(const Observed& observed, const Lacking& lacking)
      : o_(observed),
        lacking_(lacking),
        spec_(observed.live_update.spec),
        rest_(lacking.without.empty()
                  ? std::nullopt
                  : std::optional(observed.history.since(lacking.since(), lacking.without))) {}

  std::shared_ptr<const Delivery> make() {
    Plan planned =
        plan(spec_, o_.checked.rules(), rest_ ? paths_of(*rest_) : o_.history.changed_since(lacking_.since()),
             o_.history.all(), PlanMode::CatchUp, o_.checked.other_roots);
    Update* update = std::get_if<Update>(&planned.decision);
    if (!update) return made_;
    made_->sequence = o_.history.newest();
    made_->generation = o_.checked.generation;
    made_->steps = o_.checked.steps;
    made_->rules = o_.checked.mark;
    made_->live_update = o_.live_update.meta.uid;
    made_->transport = spec_.transport;
    made_->whole = lacking_.since() == 0 && lacking_.without.empty();
    made_->compare = lacking_.compare;
    files(*update);
    steps(*update);
    mirror();
    return made_;
  }

 private:
  // Takes what the update holds. Rule 1.4: the watcher refuses to send what would go to the kernel's files;
  // what somebody posted by hand does not get there either.
  void files(Update& update) {
    if (spec_.source.deletes != DeletePolicy::Never) made_->deletes = std::move(update.deletes);
    std::erase_if(made_->deletes, [](const RemoteDelete& it) { return is_kernel_path(it.to); });
    const Tree& all = o_.history.all();
    made_->writes.reserve(update.copies.size());
    for (Copy& copy : update.copies) {
      if (is_kernel_path(copy.to)) continue;
      const Entry* entry = rest_ ? rest_->find(copy.from) : nullptr;
      if (!entry) entry = all.find(copy.from);
      if (entry) made_->writes.push_back(to_write(std::move(copy), *entry, all));
    }
  }

  void steps(const Update& update) {
    made_->before_sync = to_delivery_runs(spec_, update.before_sync);
    made_->after_sync = to_delivery_runs(spec_, update.after_sync);
    if (lacking_.looks)
      for (auto* runs : {&made_->before_sync, &made_->after_sync})
        for (DeliveryRun& run : *runs) run.due = due_if(run.step, step_as<Run>(spec_, run.step)->triggers);
    add_failed(made_->before_sync, spec_, lacking_.due, RunPhase::BeforeSync);
    add_failed(made_->after_sync, spec_, lacking_.due, RunPhase::AfterSync);
    const std::optional<int> again = skipped_restart(spec_, lacking_.due);
    const std::optional<int> restart = again ? again : update.restart;
    if (!restart) return;
    const Restart& how = *step_as<Restart>(spec_, *restart);
    if (spares(lacking_.spared, how)) return;
    made_->restart = how;
    made_->restart_step = *restart;
    if (lacking_.looks && !again) made_->restart_due = due_if(*restart, how.triggers);
  }

  // Rule 4.5. Not in a container that is to be replaced: what it is kept from is there by its own image's word.
  void mirror() {
    const bool asked = lacking_.mirrors || std::ranges::any_of(made_->deletes, [](const RemoteDelete& it) {
                         return it.type == FileType::Directory;
                       });
    if (spec_.source.deletes != DeletePolicy::Mirror || !asked || !lacking_.without.empty() ||
        !mirror_obstacle(o_.history, o_.checked.reach).empty())
      return;
    const auto rules = MirrorRules::make(spec_, o_.checked.foreign_roots, o_.history,
                                         std::make_shared<PathRules>(compile_rules(spec_)));
    if (!rules) return made_->notes.push_back(rules.error().message);
    made_->mirror = mirror_of(*rules, o_.history, *made_, spec_.source.max_deletes, lacking_.mirrors);
  }

  // Rule 3.7. What no sync maps has no place in the container where it could differ.
  DueIf due_if(int step, const std::vector<std::string>& triggers) const {
    if (triggers.empty()) return {DueIf::AnyDiffers, {}};
    DueIf due{DueIf::OneDiffers, {}};
    std::unordered_set<std::string_view> mapped;
    const std::size_t writes = made_->writes.size();
    for (std::size_t i = 0; i < writes + made_->deletes.size(); ++i) {
      const std::string& from = i < writes ? made_->writes[i].from : made_->deletes[i - writes].from;
      mapped.insert(from);
      if (is_triggered(step, from)) due.entries.push_back(i);
    }
    return is_named_beside(step, mapped) ? DueIf{} : due;
  }

  // A run with `when: Always` fires for paths that no sync maps, by batches that are new for the container.
  bool is_named_beside(int step, const std::unordered_set<std::string_view>& mapped) const {
    const Run* run = step_as<Run>(spec_, step);
    if (!run || run->when != RunWhen::Always) return false;
    return std::ranges::any_of(o_.history.batches(), [&](const Batch& batch) {
      return batch.last > lacking_.applied && !batch.only_content && !lacking_.without.contains(batch.last) &&
             std::ranges::any_of(batch.changed(), [&](const Change& change) {
               return batch.stamp_of(change) > lacking_.applied && !mapped.contains(change.path) &&
                      is_triggered(step, change.path);
             });
    });
  }

  bool is_triggered(int step, const std::string& path) const {
    const PathRules::Said& said = o_.checked.rules().of(path);
    return said.inside && !said.ignored.ignored &&
           std::ranges::find(said.triggered, step) != said.triggered.end();
  }

  const Observed& o_;
  const Lacking& lacking_;
  const LiveUpdateSpec& spec_;
  const std::optional<Tree> rest_;  // where something is left out: else all there is tells it
  const std::shared_ptr<Delivery> made_ = std::make_shared<Delivery>();
};

}  // namespace

std::shared_ptr<const Delivery> make_delivery(const Observed& observed, const Lacking& lacking) {
  return Maker(observed, lacking).make();
}

bool empty(const Delivery& delivery) {
  return delivery.before_sync.empty() && delivery.deletes.empty() && delivery.writes.empty() &&
         delivery.after_sync.empty() && !delivery.restart && !delivery.mirror;
}

}  // namespace live_update
