// The port through which a batch reaches one container. Implementations: AgentTransport (a session that stays
// open, `agent_transport.h`) and TarTransport (one exec per batch, `tar_transport.h`).
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/desired/delivery.h"
#include "run/loop.h"

namespace live_update {

// Deliveries that are likely to come.
struct Expectation {
  std::string who;                 // will ask: several LiveUpdates can mean one container
  std::vector<std::string> roots;  // remote, of its syncs
  Transport transport = Transport::Auto;
};

class ContainerTransport {
 public:
  virtual ~ContainerTransport() = default;
  // A delivery to this container is likely soon: what takes time may be done now.
  virtual void expect(const ContainerRef&, const Expectation&) {}
  // It is gone, or not meant by `who` any more: nobody else needs its session.
  virtual void forget(const std::string& /*container_id*/, const std::string& /*who*/) {}
  // What a run prints, as it comes; `step` is its index in spec.steps.
  using OnOutput = std::function<void(int step, std::string_view bytes)>;
  // `done` runs once, on the loop; destroying the Handle abandons the delivery (what has arrived stays).
  [[nodiscard]] virtual Handle deliver(const ContainerRef& to, std::shared_ptr<const Delivery> delivery,
                                       std::move_only_function<void(DeliveryOutcome)> done,
                                       OnOutput on_output) = 0;
};

}  // namespace live_update
