// Transport `Agent`: one exec session with live-update-agent for each container, kept open, so that a save
// costs no exec. Where there is no sh to put the agent there, an ephemeral container does (AgentPlacer);
// where no agent can run at all, and spec.transport allows it, Tar takes over.
//
// A lane for each container: its deliveries one after the other, all lanes in parallel, none waits for
// another one. What replicas have in common is prepared once, contents are shared, and each lane has at most
// 256 KiB under way. Sessions are opened in turn by namespace (OpeningPlaces), and a container whose session
// could not be opened before has less time for it. A lost session is opened again with the next delivery, at once if it was in use lately;
// what was not confirmed is delivered again by whoever asked (rule 4.9). Sessions that had nothing to do for
// `Options::idle` are closed. On the loop.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "operator/agent/agent_delivery.h"
#include "operator/agent/agent_placer.h"
#include "operator/agent/agent_program.h"
#include "operator/agent/agent_session.h"
#include "operator/exec/opening_places.h"
#include "operator/exec/transport.h"

namespace live_update {

class AgentTransport : public ContainerTransport {
 public:
  struct Options {
    Millis idle{30 * 60'000};  // without a delivery, after which a session is closed
    // Where the agent may lie, the best first; then come the pod's emptyDirs, the sync roots, and what is
    // above those.
    std::vector<std::string> directories{"/tmp", "/var/tmp", "/run"};
  };
  // What people may want to know of a container's session, for the log.
  using Note = std::function<void(const ContainerRef&, const std::string& what)>;

  // All of them outlive it.
  AgentTransport(ApiServer& api, After after, AgentDelivery::Clock clock, const AgentPrograms& programs,
                 AgentPlacer& placer, ContainerTransport& tar, Options options, Note note);
  ~AgentTransport() override;

  // Opens the container's session if there is none: a delivery is to be expected.
  void expect(const ContainerRef& to, const Expectation& expectation) override;
  void forget(const std::string& container_id, const std::string& who) override;
  [[nodiscard]] Handle deliver(const ContainerRef& to, std::shared_ptr<const Delivery> delivery,
                               std::move_only_function<void(DeliveryOutcome)> done,
                               OnOutput on_output) override;

  std::size_t sessions() const;  // that are ready

 private:
  struct Job;
  struct Lane;
  using Lanes = std::map<ContainerRef, std::unique_ptr<Lane>>;

  void drop(Lanes::iterator lane);
  bool drop_unwanted(Lanes::iterator lane);
  void drop_later(Lane& lane, Millis pause, std::string why);
  Lane& lane_of(const ContainerRef& to);
  void wish(Lane& lane, Transport how);
  std::shared_ptr<const AgentBatch> prepare(const std::shared_ptr<const Delivery>& delivery);
  void open(Lane& lane);
  void open_next();
  void begin(Lane& lane);
  void leave_place(Lane& lane);
  void forget_container(const std::string& id);
  void place(Lane& lane, std::vector<std::string> tried);
  void placed(const ContainerRef& to, std::vector<std::string> tried, Result<AgentPlacer::Placed> placed);
  void impossible(Lane& lane, std::vector<std::string> tried, Millis pause);
  void advance(Lane& lane);
  void heard(const ContainerRef& to, const agent::Answer& answer);
  void moved(const ContainerRef& to);
  void wait_for_progress(Lane& lane);
  void settle(Lane& lane);
  void finish(Lane& lane, DeliveryOutcome outcome);
  void ended(const ContainerRef& to, AgentEnd end);
  void lost(Lane& lane, const AgentEnd& end, const NotDelivered& why, bool was_ready);
  void rest(Lane& lane);
  void without_agent(Lane& lane);
  void by_tar(Lane& lane, Job job);
  void cancel(const ContainerRef& to, std::uint64_t id);

  ApiServer& api_;
  After after_;
  const AgentDelivery::Clock clock_;
  const AgentPrograms& programs_;
  AgentPlacer& placer_;
  ContainerTransport& tar_;
  const Options options_;
  const Note note_;
  Lanes lanes_;
  std::map<std::string, std::string> placed_;  // by the placer: the agent's file, by container ID
  std::set<std::string> slow_;                 // containers whose session could not be opened the last time
  OpeningPlaces places_;
  std::map<OpeningPlaces::Ticket, ContainerRef> opening_;  // and those in line for it
  std::uint64_t jobs_ = 0;
  std::map<std::uint64_t, Handle> by_tar_;
  std::vector<std::weak_ptr<const AgentBatch>> prepared_;  // of deliveries under way
};

}  // namespace live_update
