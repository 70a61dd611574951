#include "watcher/feed.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>

#include "watcher/cluster.h"

namespace live_update {
namespace {

constexpr Millis kLookAgain{500};  // at the file, while it does not allow what the cluster's spec asks

std::string collection(const std::string& ns, const char* resource) {
  return fmt::format("/apis/{}/namespaces/{}/{}", kApiVersion, ns, resource);
}

// The bytes are on our disk: what others need to know of a ChangeSet is the rest.
Result<ChangeSet> decode_without_content(const rapidjson::Value& json) {
  auto change_set = decode_change_set(json);
  if (change_set)
    for (Change& change : change_set->spec.changes.edit()) change.content = nullptr;
  return change_set;
}

bool belongs(const ChangeSet& change_set, const LiveUpdate& live_update) {
  const auto& owners = change_set.meta.owners;
  return owners.empty() ||
         std::ranges::any_of(owners, [&](const auto& owner) { return owner.uid == live_update.meta.uid; });
}

}  // namespace

Feed::Feed(Loop& loop, ApiServer& api, Host& host, Console& console, ObjectKey key, SessionOptions options,
           std::function<void(int)> on_end)
    : loop_(loop),
      api_(api),
      host_(host),
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
                              .on_problem = [this](const Error& error) { problem(error); },
                              .on_recovered = [this] { recovered(); }}),
      change_set_reflector_(loop, api,
                            {.path = collection(key_.ns, "changesets"),
                             .query = {{"fieldSelector", "spec.liveUpdate=" + key_.name}}},
                            change_sets_, decode_without_content,
                            {.on_change = [this](const auto& change) { change_set_changed(change); },
                             .on_synced = [this] { begin_session(); },
                             .on_problem = [this](const Error& error) { problem(error); },
                             .on_recovered = [this] { recovered(); }}) {}

void Feed::start() {
  live_update_reflector_.start();
  change_set_reflector_.start();
}

void Feed::end() {
  if (session_ && !std::exchange(ended_, true)) session_->end();
}

// Two lists and watches fail for one reason: each kind of it is said once, until both are well again. An
// object that cannot be read is no outage; a watch that is too old lists again at once.
void Feed::problem(const Error& error) {
  if (ended_ || error.kind == ErrorKind::Gone) return;
  const bool outage = live_update_reflector_.troubled() || change_set_reflector_.troubled();
  const bool news = outage ? outage_.insert(error.kind).second : unreadable_.insert(error.message).second;
  if (!news) return;
  const char* outlook =
      session_ ? "; changes are kept, and it is tried again by itself" : "; it is tried again by itself";
  console_.problem(error.message + (error.retryable() ? outlook : ""));
}

void Feed::recovered() {
  if (ended_ || live_update_reflector_.troubled() || change_set_reflector_.troubled()) return;
  if (!std::exchange(outage_, {}).empty()) console_.say("the API server answers again");
}

void Feed::live_update_changed(const ObjectChange<LiveUpdate>& change) {
  if (ended_) return;
  if (session_ && (!change.after || change.after->meta.uid != session_->uid())) {
    session_->end();
    if (auto notes = session_->notes()) before_ = std::move(notes);
    session_.reset();
    if (!change.after)
      console_.say(
          fmt::format("LiveUpdate {} was deleted: changes are kept until it is back", to_string(key_)));
  }
  if (change.after) return judge();
  look_again_.reset();
  question_.reset();
  paused_.clear();
}

// Rule 8.2, whenever the spec or the ceiling may have changed.
void Feed::judge() {
  const auto live_update = live_updates_.get(key_);
  if (!live_update || ended_) return;
  const auto further = options_.ceiling->beyond(live_update->spec,
                                                [this](const std::string& line) { console_.failure(line); });
  const bool was_paused = !paused_.empty();
  if (further.empty())
    go_on();
  else
    pause(*live_update, further);
  hand_on(*live_update);
  if (was_paused && further.empty() && session_) session_->hold(false);
}

void Feed::pause(const LiveUpdate& live_update, const std::vector<FieldError>& further) {
  if (session_) session_->hold(true);
  auto why = say_further(live_update, *options_.ceiling, further);
  if (why == paused_) return;
  paused_ = std::move(why);
  for (const std::string& line : paused_) console_.failure(line);
  if (options_.once) return fail("nothing was sent: " + say_remedy(*options_.ceiling));
  console_.failure("nothing is sent until that changes: " + say_remedy(*options_.ceiling));
  if (options_.ceiling->has_file()) look_again();
  ask(live_update);
}

void Feed::look_again() {
  look_again_ = loop_.after(kLookAgain, [this] {
    look_again();
    if (options_.ceiling->file_changed()) judge();
  });
}

void Feed::ask(const LiveUpdate& live_update) {
  question_.reset();
  if (!options_.consent || !options_.consent->can_ask()) return;
  question_ = options_.consent->ask(fmt::format("Let LiveUpdate {} reach that far?", to_string(key_)),
                                    [this, spec = live_update.spec](bool yes) {
                                      if (!yes) return;
                                      if (auto kept = options_.ceiling->accept(spec); !kept)
                                        console_.problem(kept.error().message);
                                      judge();
                                    });
}

void Feed::go_on() {
  look_again_.reset();
  question_.reset();
  if (std::exchange(paused_, {}).empty()) return;
  console_.say("the LiveUpdate reaches no further than it may: going on");
}

// A session that is held learns what became of its changes, but keeps its rules.
void Feed::hand_on(LiveUpdate live_update) {
  if (ended_) return;
  if (!session_) return paused_.empty() ? begin_session() : void();
  if (!paused_.empty()) live_update.spec = session_->spec();
  session_->live_update_changed(live_update);
}

void Feed::change_set_changed(const ObjectChange<ChangeSet>& change) {
  if (ended_ || !session_) return;
  if (change.after)
    session_->change_set_changed(*change.after);
  else
    session_->change_set_removed(*change.before);
}

void Feed::begin_session() {
  const auto live_update = live_updates_.get(key_);
  if (session_ || ended_ || !paused_.empty() || !live_update || !live_update_reflector_.synced() ||
      !change_set_reflector_.synced())
    return;
  SessionOptions options = options_;
  options.before = std::exchange(before_, nullptr);
  session_ = std::make_unique<Session>(loop_, api_, host_, console_, std::move(options),
                                       [this](int code) { session_ended(code); });
  std::vector<ChangeSet> change_sets;
  for (const auto& [key, change_set] : change_sets_.all())
    if (belongs(*change_set, *live_update)) change_sets.push_back(*change_set);
  auto begun = session_->begin(*live_update, change_sets);
  if (!begun) fail(begun.error().message);
}

void Feed::fail(const std::string& message) {
  console_.problem(message);
  session_.reset();
  session_ended(1);
}

// Other LiveUpdates may be watched on: nothing of a session that refused or gave up may be called again. It
// may be what calls us, so it goes in a turn of its own.
void Feed::session_ended(int code) {
  if (std::exchange(ended_, true)) return;
  last_turn_ = loop_.after(Millis(0), [this] { session_.reset(); });
  on_end_(code);
}

}  // namespace live_update
