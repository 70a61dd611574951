#include "watcher/feed.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>

#include "watcher/cluster.h"

namespace live_update {
namespace {

std::string collection(const std::string& ns, const char* resource) {
  return fmt::format("/apis/{}/namespaces/{}/{}", kApiVersion, ns, resource);
}

// The bytes are on our disk: what others need to know of a ChangeSet is the rest.
Result<ChangeSet> decode_without_content(const rapidjson::Value& json) {
  auto change_set = decode_change_set(json);
  if (change_set)
    for (Change& change : change_set->spec.changes) change.content = nullptr;
  return change_set;
}

bool belongs(const ChangeSet& change_set, const LiveUpdate& live_update) {
  const auto& owners = change_set.meta.owners;
  return owners.empty() ||
         std::ranges::any_of(owners, [&](const auto& owner) { return owner.uid == live_update.meta.uid; });
}

}  // namespace

Feed::Feed(Loop& loop, ApiServer& api, Console& console, ObjectKey key, SessionOptions options,
           std::function<void(int)> on_end)
    : loop_(loop),
      api_(api),
      console_(console),
      key_(std::move(key)),
      options_(std::move(options)),
      on_end_(std::move(on_end)),
      live_update_reflector_(loop, api,
                             {.path = collection(key_.ns, "liveupdates"),
                              .query = {{"fieldSelector", "metadata.name=" + key_.name}}},
                             live_updates_, decode_live_update,
                             {.on_change = [this](const auto& change) { live_update_changed(change); },
                              .on_synced = [this] { begin_session(); },
                              .on_problem = [this](const Error& error) { problem(error); }}),
      change_set_reflector_(loop, api,
                            {.path = collection(key_.ns, "changesets"),
                             .query = {{"fieldSelector", "spec.liveUpdate=" + key_.name}}},
                            change_sets_, decode_without_content,
                            {.on_change = [this](const auto& change) { change_set_changed(change); },
                             .on_synced = [this] { begin_session(); },
                             .on_problem = [this](const Error& error) { problem(error); }}) {}

void Feed::start() {
  live_update_reflector_.start();
  change_set_reflector_.start();
}

void Feed::end() {
  ended_ = true;
  if (session_) session_->end();
}

// Two lists and watches fail for one reason: it is said once, until something arrives again.
void Feed::problem(const Error& error) {
  if (std::exchange(has_problem_, true)) return;
  const char* outlook =
      session_ ? "; changes are kept, and it is tried again by itself" : "; it is tried again by itself";
  console_.problem(error.message + (error.retryable() ? outlook : ""));
}

void Feed::live_update_changed(const ObjectChange<LiveUpdate>& change) {
  has_problem_ = false;
  if (session_ && (!change.after || change.after->meta.uid != session_->uid())) {
    session_->end();
    session_.reset();
    if (!change.after)
      console_.say(
          fmt::format("LiveUpdate {} was deleted: changes are kept until it is back", to_string(key_)));
  }
  if (!change.after) return;
  if (session_) return session_->live_update_changed(*change.after);
  begin_session();
}

void Feed::change_set_changed(const ObjectChange<ChangeSet>& change) {
  has_problem_ = false;
  if (!session_) return;
  if (change.after)
    session_->change_set_changed(*change.after);
  else
    session_->change_set_removed(change.key.name);
}

void Feed::begin_session() {
  const auto live_update = live_updates_.get(key_);
  if (session_ || ended_ || !live_update || !live_update_reflector_.synced() ||
      !change_set_reflector_.synced())
    return;
  session_ = std::make_unique<Session>(loop_, api_, console_, options_, on_end_);
  std::vector<ChangeSet> change_sets;
  for (const auto& [key, change_set] : change_sets_.all())
    if (belongs(*change_set, *live_update)) change_sets.push_back(*change_set);
  auto begun = session_->begin(*live_update, change_sets);
  if (begun) return;
  console_.problem(begun.error().message);
  ended_ = true;
  on_end_(1);
}

}  // namespace live_update
