// How far a spec reaches into a developer's machine, and whether another one reaches further (rules 8.1, 8.2).
//
// Reach is what can leave the machine: the context, what the syncs read, what is ignored, which credentials
// are let out. Where it goes, what is deleted, what runs is none of it. Text only: whether a `from` is a link
// is asked where the files are.
#pragma once

#include <string>
#include <vector>

#include "core/api/codec.h"
#include "core/api/kinds.h"

namespace live_update {

// The fields of a spec that decide how far it reaches; all others have their defaults.
LiveUpdateSpec reach_of(const LiveUpdateSpec& spec);

// Each field with which `spec` reaches, or may reach, further than `ceiling`, and how; empty: it does not.
// In doubt it does: of the ignore list nothing but patterns without "!" at its end is certain to narrow.
std::vector<FieldError> reach_beyond(const LiveUpdateSpec& ceiling, const LiveUpdateSpec& spec);

// The part of it that is about spec.source.credentials: what `allowed` does not say already.
std::vector<FieldError> credentials_beyond(const std::vector<std::string>& ceiling,
                                           const std::vector<std::string>& allowed);

}  // namespace live_update
