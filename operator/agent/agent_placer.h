// Puts the agent into containers that have no shell, by an ephemeral container (ephemeral_container.h): reads
// the pod, adds what is missing, and looks again until it has ended. On the loop.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "operator/agent/ephemeral_container.h"
#include "operator/exec/exec_step.h"

namespace live_update {

class AgentPlacer {
 public:
  struct Options {
    EphemeralImage image;
    Millis patience{5 * 60'000};  // for the image to be pulled, the container to run and end
    Millis stuck{30'000};         // while the kubelet says that it cannot, but goes on trying
  };
  struct Placed {
    std::string file;                // to be executed in the container; or, where that is empty:
    std::vector<std::string> tried;  // why there is none
  };
  // An error: the container is gone (NotFound), or the API server did not do it. Later it may work.
  using Done = std::move_only_function<void(Result<Placed>)>;

  // `api` and `programs` outlive it; it outlives what it is asked for.
  AgentPlacer(ApiServer& api, After after, const AgentPrograms& programs, Options options);

  // `missing`: a file of an earlier time that could not be executed. `done` runs once, later; destroying the
  // Handle leaves the ephemeral container to itself. 16 at a time, others wait.
  [[nodiscard]] Handle place(const ContainerRef& to, std::vector<std::string> directories,
                             std::string missing, Done done);

 private:
  struct Job;
  void begin_waiting();
  void look(const std::shared_ptr<Job>& job);
  void decide(const std::shared_ptr<Job>& job, const rapidjson::Value& pod);
  void add(const std::shared_ptr<Job>& job, const rapidjson::Value& pod, const EphemeralLook& look);
  void refused(const std::shared_ptr<Job>& job, const Error& error);
  void look_later(const std::shared_ptr<Job>& job, const std::string& why);
  void end(const std::shared_ptr<Job>& job, Result<Placed> placed);

  ApiServer& api_;
  After after_;
  const AgentPrograms& programs_;
  const Options options_;
  std::deque<std::weak_ptr<Job>> waiting_;
  int at_work_ = 0;
};

}  // namespace live_update
