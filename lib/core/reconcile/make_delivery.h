// From what a container lacks to what it gets. Pure; used by reconcile.cc.
#pragma once

#include <compare>
#include <cstdint>
#include <memory>
#include <set>
#include <vector>

#include "core/reconcile/reconcile.h"

namespace live_update {

// What a container is not restarted by because it is new (rule 4.8). A signal that makes it load its files is
// no restart; one that ends it is.
enum class Spared { Nothing, Restarts, Signals };

// All that makes one delivery differ from another: containers that agree in it get the same object, so that
// bytes are held, planned and (by the transport) packed once.
struct Lacking {
  std::int64_t applied = 0;        // it has confirmed this
  bool doubtful = false;           // but by other rules: all that is known is compared (rule 5.7)
  std::set<std::int64_t> without;  // batches that are not for it: its pod waits for a redeploy
  std::vector<int> due;            // steps that are due again (rule 4.7)
  Spared spared = Spared::Nothing;
  bool compare = false;
  bool looks = false;    // runs and restart look at what differs in it, not at what was named (rule 3.7)
  bool mirrors = false;  // all that only it has is looked for, where spec.source.deletes is Mirror (rule 4.5)
  auto operator<=>(const Lacking&) const = default;

  std::int64_t since() const { return doubtful ? 0 : applied; }
};

// Without any content: it needs nothing.
std::shared_ptr<const Delivery> make_delivery(const Observed& observed, const Lacking& lacking);
bool empty(const Delivery& delivery);

}  // namespace live_update
