// Puts the agent into containers that have no shell, by an ephemeral container (ephemeral_container.h): reads
// the pod, adds what is missing, and looks again until it has ended. On the loop.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "operator/agent/ephemeral_container.h"
#include "operator/exec/opening_places.h"
#include "operator/exec/stdin_feed.h"

namespace live_update {

class AgentPlacer {
 public:
  struct Options {
    EphemeralImage image;
    Millis patience{5 * 60'000};  // for the image to be pulled, the container to run and end
    Millis again{10'000};         // the same where that was too short: what is under way goes on without us
    Millis stuck{30'000};         // while the kubelet says that it cannot, but goes on trying
  };
  struct Placed {
    std::string file;                // to be executed in the container; or, where that is empty:
    std::vector<std::string> tried;  // why there is none
    bool late = false;               // because it took longer than our patience
  };
  struct Wish {
    ContainerRef to;
    std::vector<std::string> directories;
    std::string missing;  // a file of an earlier time that could not be executed
    bool again = false;   // it was late the last time
  };
  // An error: the container is gone (NotFound), or the API server did not do it. Later it may work.
  using Done = std::move_only_function<void(Result<Placed>)>;

  // `api` and `programs` outlive it; it outlives what it is asked for.
  AgentPlacer(ApiServer& api, After after, const AgentPrograms& programs, Options options);

  // `done` runs once, later; destroying the Handle leaves the ephemeral container to itself. Those who wait
  // come in turn by namespace (OpeningPlaces).
  [[nodiscard]] Handle place(Wish wish, Done done);

 private:
  struct Job;
  void begin_next();
  void begin(const std::shared_ptr<Job>& job);
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
  OpeningPlaces places_;
  std::map<OpeningPlaces::Ticket, std::weak_ptr<Job>> jobs_;
};

}  // namespace live_update
