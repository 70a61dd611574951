// Which containers each LiveUpdate of a namespace means, and where the syncs of others lead in these.
//
// Taken from the caches, not from what was seen before: so it is the same in the first look after a start. A
// search is done once for what pods, workloads and spec are at that time, whoever asks for it. Loop thread
// only.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/api/kinds.h"
#include "core/desired/targets.h"
#include "operator/cache.h"

namespace live_update {

class MeantContainers {
 public:
  // `own_namespace`: nothing in it is meant; empty: it is not known.
  MeantContainers(const Cache& cache, std::string own_namespace)
      : cache_(cache), own_namespace_(std::move(own_namespace)) {}

  const TargetSearch& of(const LiveUpdate& live_update);
  // Sorted, each once: where the syncs of other LiveUpdates lead that mean one of these containers (rule 4.3).
  // Nothing where no container is meant: then it is of no matter.
  std::optional<std::vector<std::string>> other_roots(const LiveUpdate& live_update);
  // The same with those whose spec is wrong at present: what they have put there is theirs (rule 4.5).
  std::vector<std::string> foreign_roots(const LiveUpdate& live_update);

 private:
  struct Meaning {
    std::string uid;
    std::int64_t generation = -1;
    TargetSearch search;
    std::set<std::string> containers;  // their IDs
    std::vector<std::string> roots;    // none if nothing is done by such a spec
    std::vector<std::string> written;  // all that it says
  };
  struct Namespace {
    std::uint64_t version = 0;  // of its pods and workloads
    std::map<std::string, Meaning> meanings;
  };
  std::set<std::string> roots_of_others(const LiveUpdate& live_update,
                                        std::vector<std::string> Meaning::* which);
  Namespace& current(const std::string& ns);
  const Meaning& meaning_of(Namespace& space, const LiveUpdate& live_update);

  const Cache& cache_;
  const std::string own_namespace_;
  std::map<std::string, Namespace> namespaces_;
};

}  // namespace live_update
