#include "operator/agent/agent_placer.h"

#include <algorithm>
#include <utility>

#include "core/api/codec.h"
#include "core/base/text.h"
#include "operator/exec/output_tail.h"

namespace live_update {
namespace {

constexpr Millis kFirstPause{200}, kLastPause{3'000};

AgentPlacer::Placed nowhere(const std::string& why) { return {"", {"ephemeral container: " + why}, false}; }

}  // namespace

struct AgentPlacer::Job {
  Wish wish;
  Done done;
  bool added = false;
  std::string refusal;  // in the API server's words
  Millis pause{kFirstPause}, waited{0}, stuck{0};
  Handle under_way;  // the request or the pause
};

AgentPlacer::AgentPlacer(ApiServer& api, After after, const AgentPrograms& programs, Options options)
    : api_(api), after_(std::move(after)), programs_(programs), options_(std::move(options)) {}

Handle AgentPlacer::place(Wish wish, Done done) {
  auto job = std::make_shared<Job>();
  job->wish = std::move(wish);
  job->done = std::move(done);
  const auto ticket = places_.ask(job->wish.to.ns);
  jobs_[ticket] = job;
  begin_next();
  return Handle([this, job, ticket] {
    job->under_way.reset();
    jobs_.erase(ticket);
    places_.leave(ticket);
    begin_next();
  });
}

void AgentPlacer::begin_next() {
  while (const auto ticket = places_.next())
    if (const auto job = jobs_.at(*ticket).lock()) begin(job);
}

void AgentPlacer::begin(const std::shared_ptr<Job>& job) {
  if (!options_.image.name.empty()) return look(job);
  end(job, nowhere("the operator may not add one (the chart's value ephemeralContainers.enabled allows it)"));
}

// Later, so that the asker may end the job in it.
void AgentPlacer::end(const std::shared_ptr<Job>& job, Result<Placed> placed) {
  job->under_way = after_(Millis(0), [done = std::exchange(job->done, {}),
                                      placed = std::move(placed)]() mutable { done(std::move(placed)); });
}

void AgentPlacer::look(const std::shared_ptr<Job>& job) {
  job->under_way =
      api_.request({.path = "/api/v1/namespaces/" + job->wish.to.ns + "/pods/" + job->wish.to.pod},
                   [this, job = std::weak_ptr(job)](Result<Response> answer) {
                     const auto it = job.lock();
                     if (!it) return;
                     if (!answer) return end(it, std::unexpected(answer.error()));
                     const auto pod = parse_json(answer->body);
                     if (!pod) return end(it, std::unexpected(pod.error()));
                     decide(it, *pod);
                   });
}

void AgentPlacer::decide(const std::shared_ptr<Job>& job, const rapidjson::Value& pod) {
  EphemeralLook look = look_for_ephemeral(pod, job->wish.to, programs_, job->wish.missing);
  const bool gone = look.state == EphemeralLook::Gone;
  if (!gone && !job->refusal.empty()) return end(job, nowhere(job->refusal));
  switch (look.state) {
    case EphemeralLook::Gone:
      return end(job, fail(ErrorKind::NotFound, "the container is not running"));
    case EphemeralLook::Coming:
      return look_later(job, look.why);
    case EphemeralLook::Placed:
      return end(job, Placed{std::move(look.file), {}, false});
    case EphemeralLook::Failed:  // of an earlier time: what was in the way may be so no more
      if (job->added || look.number >= kMostForOneLife)
        return end(job, Placed{"", std::move(look.tried), false});
      return add(job, pod, look);
    case EphemeralLook::None:
      return add(job, pod, look);
  }
}

void AgentPlacer::add(const std::shared_ptr<Job>& job, const rapidjson::Value& pod,
                      const EphemeralLook& look) {
  if (look.number >= kMostForOneLife)
    return end(job, nowhere("what " + std::to_string(look.number) + " of them have put there, " +
                            job->wish.missing + ", could not be executed later; restart the container"));
  if (look.in_pod >= kMostInOnePod)
    return end(job, nowhere("the pod has " + std::to_string(look.in_pod) +
                            " of them already, and they cannot be removed; delete the pod, or mount an "
                            "emptyDir in the container, which keeps the agent when it restarts"));
  job->wish.missing.clear();
  job->added = true;
  job->under_way = api_.request(
      add_ephemeral(pod, job->wish.to, programs_, options_.image, job->wish.directories, look.number + 1),
      [this, job = std::weak_ptr(job)](Result<Response> answer) {
        const auto it = job.lock();
        if (!it) return;
        answer ? look_later(it, "") : refused(it, answer.error());
      });
}

// Invalid is what another pod of that name is answered with, too: that is seen on looking again.
void AgentPlacer::refused(const std::shared_ptr<Job>& job, const Error& error) {
  switch (error.kind) {
    case ErrorKind::Forbidden:
    case ErrorKind::TooLarge:
      return end(job, nowhere(clean(error.message)));
    case ErrorKind::Invalid:
      job->refusal = clean(error.message);
      return look(job);
    default:
      return end(job, std::unexpected(error));
  }
}

void AgentPlacer::look_later(const std::shared_ptr<Job>& job, const std::string& why) {
  job->stuck = why.empty() ? Millis(0) : job->stuck + job->pause;
  if (job->stuck > options_.stuck) return end(job, nowhere(why));
  if (job->waited >= (job->wish.again ? options_.again : options_.patience)) {
    Placed late = nowhere("has not ended for " + std::to_string(job->waited.count() / 1000) + " s");
    late.late = true;
    return end(job, std::move(late));
  }
  const Millis pause = std::exchange(job->pause, std::min(job->pause * 3 / 2, kLastPause));
  job->waited += pause;
  job->under_way = after_(pause, [this, job = std::weak_ptr(job)] {
    if (const auto it = job.lock()) look(it);
  });
}

}  // namespace live_update
