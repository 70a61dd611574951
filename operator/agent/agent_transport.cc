#include "operator/agent/agent_transport.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "core/api/conditions.h"
#include "core/base/path.h"
#include "core/base/text.h"
#include "operator/agent/agent_places.h"
#include "operator/exec/exec_diagnosis.h"

namespace live_update {
namespace {

constexpr Millis kShortStart{10'000};  // for a container that could not be reached before
constexpr Millis kReopenFirst{1'000}, kReopenLast{30'000};
// Until it is tried again: without a change of the container itself, and with what others may mend.
constexpr Millis kForgetImpossible{10 * 60'000}, kForgetNotPlaced{60'000};

NotDelivered not_placed(const ContainerRef& to, const Error& error) {
  const bool gone = error.kind == ErrorKind::NotFound;
  return {std::string(gone ? reason::kWaiting : reason::kUnreachable),
          to_string(to) + ": an ephemeral container for the agent cannot be added: " + clean(error.message) +
              "; it is tried again",
          true};
}

std::string join(const std::vector<std::string>& parts) {
  std::string text;
  for (const auto& part : parts) text += (text.empty() ? "" : ", ") + part;
  return text;
}

}  // namespace

struct AgentTransport::Job {
  std::uint64_t id = 0;
  std::shared_ptr<const AgentBatch> batch;
  std::move_only_function<void(DeliveryOutcome)> done;
  OnOutput on_output;
};

struct AgentTransport::Lane {
  ContainerRef to;
  std::set<std::string> users;  // who expects deliveries
  bool unwanted = false;        // nobody does any more
  std::vector<std::string> roots;
  std::deque<Job> jobs;  // the first one is under way if there is a `delivery`
  std::unique_ptr<AgentSession> session;
  std::unique_ptr<AgentDelivery> delivery;
  Transport how = Transport::Auto;
  Handle placing;                              // the agent, by an ephemeral container
  std::optional<OpeningPlaces::Ticket> place;  // opens its session, or is in line for it
  bool replace = false;                        // what lies under the agent's name is something else
  std::vector<std::string> impossible;  // each way that was tried and why it failed; empty: not known to be
  int losses = 0;                       // in a row
  Handle watchdog, idle;
};

AgentTransport::AgentTransport(ApiServer& api, After after, AgentDelivery::Clock clock,
                               const AgentPrograms& programs, AgentPlacer& placer, ContainerTransport& tar,
                               Options options, Note note)
    : api_(api),
      after_(std::move(after)),
      clock_(std::move(clock)),
      programs_(programs),
      placer_(placer),
      tar_(tar),
      options_(options),
      note_(std::move(note)) {}
AgentTransport::~AgentTransport() = default;

std::size_t AgentTransport::sessions() const {
  return static_cast<std::size_t>(std::ranges::count_if(
      lanes_, [](const auto& it) { return it.second->session && it.second->session->ready(); }));
}

AgentTransport::Lane& AgentTransport::lane_of(const ContainerRef& to) {
  auto& lane = lanes_[to];
  if (!lane) {
    lane = std::make_unique<Lane>();
    lane->to = to;
  }
  return *lane;
}

std::shared_ptr<const AgentBatch> AgentTransport::prepare(const std::shared_ptr<const Delivery>& delivery) {
  std::erase_if(prepared_, [](const auto& it) { return it.expired(); });
  for (const auto& it : prepared_)
    if (auto known = it.lock(); known && known->delivery == delivery) return known;
  auto batch = std::make_shared<const AgentBatch>(delivery);
  prepared_.push_back(batch);
  return batch;
}

void AgentTransport::expect(const ContainerRef& to, const Expectation& expectation) {
  Lane& lane = lane_of(to);
  lane.users.insert(expectation.who);
  lane.unwanted = false;
  for (const std::string& root : expectation.roots)
    if (std::ranges::find(lane.roots, root) == lane.roots.end()) lane.roots.push_back(root);
  wish(lane, expectation.transport);
  if (!lane.session && lane.impossible.empty()) open(lane);
}

// Where there is no way through sh there may be one beside it, and the other way round.
void AgentTransport::wish(Lane& lane, Transport how) {
  const Transport before = std::exchange(lane.how, how);
  if ((before == Transport::Ephemeral) != (how == Transport::Ephemeral)) lane.impossible.clear();
}

void AgentTransport::forget(const std::string& container_id, const std::string& who) {
  const auto found =
      std::ranges::find_if(lanes_, [&](const auto& it) { return it.first.container_id == container_id; });
  if (found == lanes_.end()) {
    forget_container(container_id);
    return;
  }
  Lane& lane = *found->second;
  lane.users.erase(who);
  lane.unwanted = lane.users.empty();
  drop_unwanted(found);
}

// With the last delivery that is under way.
bool AgentTransport::drop_unwanted(Lanes::iterator lane) {
  if (!lane->second->unwanted || !lane->second->jobs.empty()) return false;
  forget_container(lane->first.container_id);
  drop(lane);
  return true;
}

void AgentTransport::drop(Lanes::iterator lane) {
  leave_place(*lane->second);
  lanes_.erase(lane);
  open_next();
}

void AgentTransport::forget_container(const std::string& id) {
  placed_.erase(id);
  slow_.erase(id);
}

void AgentTransport::leave_place(Lane& lane) {
  if (!lane.place) return;
  opening_.erase(*lane.place);
  places_.leave(*lane.place);
  lane.place.reset();
}

void AgentTransport::drop_later(Lane& lane, Millis pause, std::string why) {
  lane.idle = after_(pause, [this, to = lane.to, pause, why = std::move(why)] {
    const auto found = lanes_.find(to);
    if (found == lanes_.end()) return;
    if (!found->second->jobs.empty()) return drop_later(*found->second, pause, why);
    if (!why.empty()) note_(to, why);
    drop(found);
  });
}

Handle AgentTransport::deliver(const ContainerRef& to, std::shared_ptr<const Delivery> delivery,
                               std::move_only_function<void(DeliveryOutcome)> done, OnOutput on_output) {
  if (delivery->transport == Transport::Tar)
    return tar_.deliver(to, std::move(delivery), std::move(done), std::move(on_output));
  const std::uint64_t id = ++jobs_;
  Lane& lane = lane_of(to);
  lane.jobs.push_back({id, prepare(delivery), std::move(done), std::move(on_output)});
  if (lane.roots.empty()) lane.roots = lane.jobs.back().batch->roots;
  wish(lane, lane.jobs.back().batch->delivery->transport);
  if (lane.session || lane.impossible.empty())
    advance(lane);
  else
    lane.watchdog =
        after_(Millis(0), [this, &lane] { lane.impossible.empty() ? advance(lane) : without_agent(lane); });
  return Handle([this, to, id] { cancel(to, id); });
}

void AgentTransport::open(Lane& lane) {
  if (lane.place || lane.placing) return;
  if (lane.how == Transport::Ephemeral && !placed_.contains(lane.to.container_id)) return place(lane, {});
  lane.place = places_.ask(lane.to.ns);
  opening_[*lane.place] = lane.to;
  open_next();
}

void AgentTransport::open_next() {
  while (const auto ticket = places_.next()) begin(*lanes_.at(opening_.at(*ticket)));
}

void AgentTransport::begin(Lane& lane) {
  lane.idle.reset();
  AgentSession::Events events;
  events.on_ready = [this, &lane] {
    leave_place(lane);
    slow_.erase(lane.to.container_id);
    lane.replace = false;
    if (!lane.session->noise().empty())
      note_(lane.to, "the container printed something before the agent: " + clean(lane.session->noise()));
    advance(lane);
    open_next();
  };
  events.on_answer = [this, to = lane.to](const agent::Answer& answer) { heard(to, answer); };
  events.on_progress = [this, to = lane.to] { moved(to); };
  events.on_note = [this, to = lane.to](const std::string& what) { note_(to, what); };
  events.on_end = [this, to = lane.to](AgentEnd end) { ended(to, std::move(end)); };
  const auto placed = placed_.find(lane.to.container_id);
  AgentSession::Options options{.directories = places(options_.directories, lane.to, lane.roots),
                                .shared = open_places(lane.to, lane.roots),
                                .replace = lane.replace,
                                .file = placed == placed_.end() ? "" : placed->second};
  if (slow_.contains(lane.to.container_id)) options.start = kShortStart;
  lane.session =
      std::make_unique<AgentSession>(api_, after_, lane.to, programs_, std::move(options), std::move(events));
}

void AgentTransport::advance(Lane& lane) {
  if (lane.delivery) return;
  if (lane.jobs.empty()) return rest(lane);
  if (!lane.session) return open(lane);
  if (!lane.session->ready()) return;
  lane.idle.reset();
  lane.delivery = std::make_unique<AgentDelivery>(
      *lane.session, lane.to, lane.jobs.front().batch, clock_,
      AgentDelivery::Turns{after_, [this, to = lane.to] { moved(to); }}, lane.jobs.front().on_output);
  lane.delivery->start();
  wait_for_progress(lane);
  if (lane.delivery->outcome())  // there was nothing to send
    lane.watchdog = after_(Millis(0), [this, &lane] { settle(lane); });
}

void AgentTransport::heard(const ContainerRef& to, const agent::Answer& answer) {
  const auto found = lanes_.find(to);
  if (found == lanes_.end() || !found->second->delivery) return;
  Lane& lane = *found->second;
  lane.delivery->hear(answer);
  wait_for_progress(lane);
  settle(lane);
}

void AgentTransport::moved(const ContainerRef& to) {
  const auto found = lanes_.find(to);
  if (found == lanes_.end() || !found->second->delivery) return;
  wait_for_progress(*found->second);
  settle(*found->second);
}

void AgentTransport::wait_for_progress(Lane& lane) {
  const Millis patience = lane.delivery->patience();
  lane.watchdog = after_(patience, [this, to = lane.to, patience] {
    ended(to, {AgentEnd::Lost,
               {ErrorKind::Timeout, "the agent has not answered for " +
                                        std::to_string(patience.count() / 1000) + " s, the session was cut"},
               {}});
  });
}

void AgentTransport::settle(Lane& lane) {
  if (!lane.delivery || !lane.delivery->outcome()) return;
  DeliveryOutcome outcome = *lane.delivery->outcome();
  lane.losses = 0;
  finish(lane, std::move(outcome));
}

// `done` may ask for the next delivery, or for nothing any more.
void AgentTransport::finish(Lane& lane, DeliveryOutcome outcome) {
  lane.delivery.reset();
  lane.watchdog.reset();
  Job job = std::move(lane.jobs.front());
  lane.jobs.pop_front();
  const ContainerRef to = lane.to;
  if (auto* it = std::get_if<Delivered>(&outcome); it && placed_.contains(to.container_id))
    it->transport = "Ephemeral";
  job.done(std::move(outcome));
  const auto found = lanes_.find(to);
  if (found == lanes_.end()) return;
  if (found->second->unwanted && found->second->jobs.empty())  // later: we may be in its session's event
    found->second->idle = after_(Millis(0), [this, to] {
      if (const auto it = lanes_.find(to); it != lanes_.end()) drop_unwanted(it);
    });
  else
    advance(*found->second);
}

void AgentTransport::rest(Lane& lane) {
  if (lane.idle || !lane.session) return;
  drop_later(lane, options_.idle, "the session had nothing to do and is closed until the next change");
}

void AgentTransport::ended(const ContainerRef& to, AgentEnd end) {
  const auto found = lanes_.find(to);
  if (found == lanes_.end()) return;
  Lane& lane = *found->second;
  const auto session = std::move(lane.session);  // until the end of this call: we may be in its event
  const bool was_ready = session && session->ready();
  leave_place(lane);
  if (!was_ready && end.kind == AgentEnd::Lost) slow_.insert(to.container_id);
  const bool of_placer = placed_.contains(to.container_id);
  if (end.kind == AgentEnd::Replaced && !std::exchange(lane.replace, true)) {
    note_(to, end.error.message + "; it is put there again");
    of_placer ? place(lane, {}) : open(lane);
  } else if (end.kind == AgentEnd::Missing) {
    place(lane, of_placer ? std::vector<std::string>() : std::move(end.tried));
  } else if (end.kind == AgentEnd::Impossible || end.kind == AgentEnd::Replaced) {
    if (end.tried.empty()) end.tried.push_back(end.error.message);
    impossible(lane, std::move(end.tried), kForgetImpossible);
  } else {
    lost(lane, end, diagnose(to, end.error), was_ready);
  }
  open_next();
}

// `tried`: what was, before. A volume of the pod comes first: the agent then outlives the container.
void AgentTransport::place(Lane& lane, std::vector<std::string> tried) {
  const auto known = placed_.extract(lane.to.container_id);
  auto best = lane.to.empty_dirs;
  best.insert(best.end(), options_.directories.begin(), options_.directories.end());
  lane.idle.reset();
  std::vector<std::string> left_out;
  auto directories =
      closed_places(places(std::move(best), lane.to, lane.roots), open_places(lane.to, lane.roots), left_out);
  lane.placing = placer_.place(
      {.to = lane.to,
       .directories = std::move(directories),
       .missing = known ? known.mapped() : std::string(),
       .again = slow_.contains(lane.to.container_id)},
      [this, to = lane.to, tried = std::move(tried), left_out = std::move(left_out)](auto result) mutable {
        if (result) std::ranges::copy(left_out, std::back_inserter(result->tried));
        placed(to, std::move(tried), std::move(result));
      });
}

void AgentTransport::placed(const ContainerRef& to, std::vector<std::string> tried,
                            Result<AgentPlacer::Placed> placed) {
  const auto found = lanes_.find(to);
  if (found == lanes_.end()) return;
  Lane& lane = *found->second;
  const Handle ended = std::move(lane.placing);
  if (!placed) return lost(lane, {}, not_placed(to, placed.error()), false);
  if (placed->late) slow_.insert(to.container_id);
  if (placed->file.empty()) {
    tried.insert(tried.end(), placed->tried.begin(), placed->tried.end());
    return impossible(lane, std::move(tried), kForgetNotPlaced);
  }
  note_(to, "an ephemeral container has put the agent there: " + placed->file);
  placed_[to.container_id] = std::move(placed->file);
  open(lane);
}

// For a while: the next change after it is tried again.
void AgentTransport::impossible(Lane& lane, std::vector<std::string> tried, Millis pause) {
  lane.impossible = std::move(tried);
  note_(lane.to, "no agent can run there: " + join(lane.impossible));
  drop_later(lane, pause, "");
  without_agent(lane);
}

void AgentTransport::lost(Lane& lane, const AgentEnd& end, const NotDelivered& why, bool was_ready) {
  if (was_ready) note_(lane.to, "the session ended: " + end.error.message);
  const ContainerRef to = lane.to;
  if (lane.delivery) {
    finish(lane, lane.delivery->lost(end));
  } else if (!was_ready && !lane.jobs.empty()) {
    finish(lane, why);
  }
  // In use until now: it is wanted again soon. A container that is gone is not; one that ends is forgotten
  // before the pause is over.
  const auto found = lanes_.find(to);
  if (found == lanes_.end() || found->second->session || !found->second->jobs.empty()) return;
  // What another operator has taken over is not taken back before something is due.
  if (why.reason == reason::kWaiting || end.kind == AgentEnd::TakenOver || found->second->losses > 8)
    return drop(found);
  const int losses = found->second->losses + (end.killed ? 2 : 0);
  ++found->second->losses;
  const Millis pause = std::min(kReopenLast, kReopenFirst * (1 << std::min(losses, 7)));
  found->second->idle = after_(pause, [this, to] {
    if (const auto it = lanes_.find(to); it != lanes_.end() && !it->second->session) open(*it->second);
  });
}

// Everything due goes by Tar where that is allowed.
void AgentTransport::without_agent(Lane& lane) {
  lane.delivery.reset();
  lane.watchdog.reset();
  std::deque<Job> jobs = std::move(lane.jobs);
  lane.jobs.clear();
  for (Job& job : jobs) by_tar(lane, std::move(job));
}

void AgentTransport::by_tar(Lane& lane, Job job) {
  const std::string why = "no agent can run in the container (" + join(lane.impossible) + ")";
  if (job.batch->delivery->transport != Transport::Auto)
    return job.done(NotDelivered{std::string(reason::kAgentUnavailable),
                                 to_string(lane.to) + ": " + why +
                                     "; change one of these, or set spec.transport to Auto, which uses tar "
                                     "where the image has it",
                                 false});
  auto done = [this, id = job.id, why, done = std::move(job.done)](DeliveryOutcome outcome) mutable {
    const Handle ended = std::move(by_tar_[id]);
    by_tar_.erase(id);
    if (auto* delivered = std::get_if<Delivered>(&outcome))
      delivered->warnings.push_back(why + ": transport Tar is used, and files do not change all at once");
    else
      std::get<NotDelivered>(outcome).message += "; " + why;
    done(std::move(outcome));
  };
  by_tar_[job.id] = Handle();
  by_tar_[job.id] = tar_.deliver(lane.to, job.batch->delivery, std::move(done), std::move(job.on_output));
}

// What is under way cannot be called back but by ending its session.
void AgentTransport::cancel(const ContainerRef& to, std::uint64_t id) {
  by_tar_.erase(id);
  const auto found = lanes_.find(to);
  if (found == lanes_.end()) return;
  Lane& lane = *found->second;
  const auto job = std::ranges::find(lane.jobs, id, &Job::id);
  if (job == lane.jobs.end()) return;
  const bool under_way = lane.delivery && job == lane.jobs.begin();
  lane.jobs.erase(job);
  if (drop_unwanted(found) || !under_way) return;
  lane.delivery.reset();
  lane.session.reset();
  lane.watchdog.reset();
  if (lane.jobs.empty())
    drop(found);
  else
    advance(lane);
}

}  // namespace live_update
