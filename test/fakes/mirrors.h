// `deletes: Mirror` for a delivery that a test has made by itself: the machine has `src`, which goes to one folder.
#pragma once

#include "core/desired/mirror.h"
#include "core/rules/rules_mark.h"
#include "test/fakes/change_sets.h"

namespace live_update {

// `delivery` writes all that is wanted below `to`. `patterns`: of the ignore file.
inline void mirror(Delivery& delivery, const std::string& to, const std::string& patterns = "",
                   int most = 1000) {
  LiveUpdateSpec spec;
  spec.steps = {Sync{"src", to}};
  History history;
  history.update({snapshot(1).saved("src/any").ignores(patterns).reach(reach_mark(spec))}, 0);
  const auto rules = MirrorRules::make(
      spec, {}, history,
      std::make_shared<PathRules>(spec, std::make_shared<IgnoreRules>(IgnoreRules::from_spec(spec))));
  delivery.compare = true;
  delivery.mirror = mirror_of(*rules, history, delivery, most, true);
}

}  // namespace live_update
