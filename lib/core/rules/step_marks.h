// What is due again, after the steps have changed (rule 4.7). Pure.
//
// A run that failed, and what it kept back, is due with the next batch. Its number in spec.steps means nothing
// after an edit, so a step is remembered by a mark: digests of all it says and of its triggers. Marks outlive
// the spec, and the operator, in the status.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/api/kinds.h"

namespace live_update {

struct StepMark {
  std::string kind;      // "run" or "restart"; of other steps, which are never due, empty
  std::string whole;     // of all that it says
  std::string triggers;  // of these alone
  bool operator==(const StepMark&) const = default;
};
using StepMarks = std::vector<StepMark>;  // one for each of spec.steps, in order

StepMarks marks_of(const std::vector<Step>& steps);

// As in a status: "run 5f2c9a7e01b3d486 9e6fa31c27d58b04"; "-" for a step that is never due. What makes no
// sense is such a step.
std::string to_text(const StepMark& mark);
StepMark mark_from(std::string_view text);

// The numbers of steps that are due, after the spec changed: each goes to an equal step, else to the one
// unmatched step with equal triggers, else to the one in its place, if that is unmatched and of its kind; else
// it is dropped. A step that was there before and is still is matched to itself, so it takes over nothing.
struct DueAgain {
  std::vector<int> due;      // numbers in `now`, sorted
  std::vector<int> dropped;  // numbers in `before`
};
DueAgain match_due(const std::vector<int>& due, const StepMarks& before, const StepMarks& now);

}  // namespace live_update
