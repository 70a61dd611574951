// What is wrong with a spec, and what is probably not meant. Pure; the CRD says the same as far as it can
// (rules 1.8, 1.9).
#pragma once

#include <vector>

#include "core/api/kinds.h"
#include "core/base/json.h"
#include "core/rules/host_tree.h"
#include "core/rules/ignore_rules.h"

namespace live_update {

// Every rule of semantics.md 1 and 2 that can be told from the spec alone, each with its field; empty: valid
// (rules 1.8, 1.9). The same words as in the CRD for the same rule.
std::vector<FieldError> validate(const LiveUpdateSpec& spec);

// A sync.from or literal trigger that `rules` ignore as a whole (rule 2.2). `validate` has asked this with
// the patterns of the spec; who has read the ignore file asks again.
std::vector<FieldError> ignored_sources(const LiveUpdateSpec& spec, const IgnoreRules& rules);

// What is legal, but probably not meant: a literal trigger inside the context that no sync covers (rule 1.6), two
// syncs whose files can meet at one place (3.3), a kind of workload that nobody knows (5.1). With a host tree only
// what can come of it: of what is not there all is possible.
std::vector<FieldError> warnings(const LiveUpdateSpec& spec, const HostTree* host = nullptr);

}  // namespace live_update
