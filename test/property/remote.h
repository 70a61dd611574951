// Where files are in a container: by the mapping of rule 3.3, written from its text; and by plans that were carried out.
#pragma once

#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "core/api/kinds.h"
#include "core/rules/plan.h"
#include "test/property/disk.h"

namespace live_update::property {

// What of a spec decides where files go.
struct Rules {
  struct Way {
    std::string from, to;
    static Way draw(Dice& dice, int size);
    std::vector<Way> simpler() const;
  };
  List<Way, 3> syncs;
  std::vector<std::string> ignore;
  bool stops = false;       // a literal fallBackOn path
  bool all_counts = true;   // context is the root; else it is not given
  bool falls_back = false;  // onUnmatched

  static Rules draw(Dice& dice, int size);
  std::vector<Rules> simpler() const;
  LiveUpdateSpec spec() const;
  // The same that never falls back.
  LiveUpdateSpec calm_spec() const;
};
void showValue(const Rules& rules, std::ostream& out);

// What a container has when all that counts on the disk is where it belongs. Nothing where the rules do not say: a file
// and what lies below its place meet there, or a link stands where a sync leads to (rule 4.3 refuses that).
std::optional<Nodes> mapped(const LiveUpdateSpec& spec, const Nodes& disk);

// Carries a plan out as the agent does (rules 4.1, 4.5).
void carry_out(Nodes& container, const Update& update, const Nodes& disk);

std::string text_of(const Plan& plan);

}  // namespace live_update::property
