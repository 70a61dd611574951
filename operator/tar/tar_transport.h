// Transport `Tar`: one exec per batch and container for deletes and copy, then one per run step (rules 4.1
// to 4.8).
//
// For where no agent may be. All guarantees but atomicity: a reader may see a file in the middle of its
// replacement. What is needed in the image, and how paths are kept inside their sync root: tar_script.h.
//
// Order: BeforeSync runs; deletes, directories, files; AfterSync runs; restart. A failed run with onFailure
// Stop or FallBack ends the runs and the restart; the files are delivered all the same, also after a failed
// BeforeSync run. There is no deadline for a batch that makes progress; one that makes none for 30 s is cut,
// and curable. A run has its own timeout. `restart: process` needs an agent in the container, which this
// transport does not have.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "operator/exec/exec_step.h"
#include "operator/exec/opening_places.h"
#include "operator/exec/transport.h"
#include "operator/tar/tar_script.h"
#include "operator/tar/tar_stream.h"

namespace live_update {

class TarTransport : public ContainerTransport {
 public:
  // `api` outlives it. `now`: the wall clock, for files that come without a time.
  TarTransport(ApiServer& api, After after, std::function<Time()> now);
  ~TarTransport() override;

  [[nodiscard]] Handle deliver(const ContainerRef& to, std::shared_ptr<const Delivery> delivery,
                               std::move_only_function<void(DeliveryOutcome)> done,
                               OnOutput on_output) override;

  // What all containers that get the same delivery share: its content is checked and its paths are planned
  // once.
  struct Prepared {
    explicit Prepared(std::shared_ptr<const Delivery> it)
        : delivery(std::move(it)),
          check(*delivery),
          wide(unpacks_widely(*delivery)),
          commands(batch_commands(*delivery)) {}
    std::shared_ptr<const Delivery> delivery;
    ContentCheck check;
    bool wide;
    Result<std::vector<BatchCommand>> commands;
  };

  // A place among those whose content takes much memory to unpack, up to 8 MiB each: `begin` runs on a later
  // turn, when it has one. Given back, or not waited for any more, with the Handle.
  [[nodiscard]] Handle place(const std::string& ns, Callback begin);

 private:
  void admit();
  std::shared_ptr<Prepared> prepare(const std::shared_ptr<const Delivery>& delivery);

  ApiServer& api_;
  After after_;
  std::function<Time()> now_;
  std::vector<std::weak_ptr<Prepared>> prepared_;  // of deliveries under way
  OpeningPlaces places_{{.at_once = 4, .of_a_namespace = 1}};
  std::map<OpeningPlaces::Ticket, Callback> waiting_;
  std::map<OpeningPlaces::Ticket, Handle> admitted_;
};

}  // namespace live_update
