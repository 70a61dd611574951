#include "operator/agent_placer.h"

#include <algorithm>
#include <utility>

#include "core/api_json.h"
#include "operator/output_tail.h"

namespace live_update {
namespace {

constexpr Millis kFirstPause{200}, kLastPause{3'000};
constexpr int kMostForOneContainer = 5;

}  // namespace

struct AgentPlacer::Job {
  ContainerRef to;
  std::vector<std::string> directories;
  std::string missing;
  Done done;
  Millis pause{kFirstPause}, waited{0};
  Handle under_way;  // the request or the pause

  // Later, so that the asker may end this job in it.
  void end(const After& after, Result<Placed> placed) {
    under_way = after(Millis(0), [done = std::exchange(done, {}), placed = std::move(placed)]() mutable {
      done(std::move(placed));
    });
  }
};

AgentPlacer::AgentPlacer(ApiServer& api, After after, const AgentPrograms& programs, Options options)
    : api_(api), after_(std::move(after)), programs_(programs), options_(std::move(options)) {}

Handle AgentPlacer::place(const ContainerRef& to, std::vector<std::string> directories, std::string missing,
                          Done done) {
  auto job = std::make_shared<Job>(Job{to, std::move(directories), std::move(missing), std::move(done)});
  if (options_.image.name.empty())
    job->end(after_, Placed{"",
                            {"ephemeral container: the operator may not add one (the chart's value "
                             "ephemeralContainers.enabled allows it)"}});
  else
    look(job);
  return Handle([job] { job->under_way.reset(); });
}

void AgentPlacer::look(const std::shared_ptr<Job>& job) {
  job->under_way = api_.request({.path = "/api/v1/namespaces/" + job->to.ns + "/pods/" + job->to.pod},
                                [this, job = std::weak_ptr(job)](Result<Response> answer) {
                                  const auto it = job.lock();
                                  if (!it) return;
                                  if (!answer) return it->end(after_, std::unexpected(answer.error()));
                                  const auto pod = parse_json(answer->body);
                                  if (!pod) return it->end(after_, std::unexpected(pod.error()));
                                  decide(it, *pod);
                                });
}

void AgentPlacer::decide(const std::shared_ptr<Job>& job, const rapidjson::Value& pod) {
  EphemeralLook look = look_for_ephemeral(pod, job->to, programs_);
  const bool again = look.state == EphemeralLook::Placed && look.file == job->missing;
  if (look.state == EphemeralLook::Gone)
    return job->end(after_, fail(ErrorKind::Unavailable, "the container is not running"));
  if (look.state == EphemeralLook::Coming) return look_later(job);
  if (look.state == EphemeralLook::None || (again && look.number < kMostForOneContainer))
    return add(job, pod, look.number + 1);
  if (again) look = {.tried = {look.file + ": is removed again and again by somebody"}};
  job->end(after_, Placed{std::move(look.file), std::move(look.tried)});
}

void AgentPlacer::add(const std::shared_ptr<Job>& job, const rapidjson::Value& pod, int number) {
  job->missing.clear();
  job->under_way =
      api_.request(add_ephemeral(pod, job->to, programs_, options_.image, job->directories, number),
                   [this, job = std::weak_ptr(job)](Result<Response> answer) {
                     const auto it = job.lock();
                     if (!it) return;
                     if (answer) return look_later(it);
                     const ErrorKind kind = answer.error().kind;
                     const bool refused = kind == ErrorKind::Forbidden || kind == ErrorKind::Invalid;
                     if (!refused) return it->end(after_, std::unexpected(answer.error()));
                     it->end(after_, Placed{"", {"ephemeral container: " + clean(answer.error().message)}});
                   });
}

void AgentPlacer::look_later(const std::shared_ptr<Job>& job) {
  if (job->waited >= options_.patience)
    return job->end(after_, Placed{"",
                                   {"ephemeral container: has not ended for " +
                                    std::to_string(job->waited.count() / 1000) + " s"}});
  const Millis pause = std::exchange(job->pause, std::min(job->pause * 3 / 2, kLastPause));
  job->waited += pause;
  job->under_way = after_(pause, [this, job = std::weak_ptr(job)] {
    if (const auto it = job.lock()) look(it);
  });
}

}  // namespace live_update
