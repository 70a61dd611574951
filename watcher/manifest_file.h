// Files of users: LiveUpdates in YAML or JSON, one or several documents. Strict, and every complaint says
// where.
//
//   liveupdate.yaml:12:5: spec.steps[2].sync.too: unknown field, did you mean "to"?
//
// Values have the types that kubectl would see: a quoted scalar is a string, yes is true, 017 is 15; anchors
// and merge keys work. Documents that are empty are skipped. Bounded in size, depth and in what aliases may
// unfold to.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/api/codec.h"
#include "core/api/kinds.h"
#include "core/base/result.h"

namespace live_update {

// One document.
struct Manifest {
  struct Place {
    int line = 0, column = 0;  // from 1; 0: not known
    bool operator==(const Place&) const = default;
  };

  std::string file;                     // as it was named; "stdin" for "-"
  LiveUpdate live_update;               // what could be read of it
  std::string json;                     // the whole document as JSON, to be applied as the user wrote it
  std::vector<FieldError> errors;       // of reading it; rules are checked by `validate`
  std::map<std::string, Place> places;  // of fields that are there, by their path

  // Where `field` is, or where it would be: the place of the nearest object around it.
  Place place(std::string_view field) const;
  // "liveupdate.yaml:12:5: spec.steps[2].sync.too: unknown field".
  std::string describe(const FieldError& error) const;
};

// Errors: the file cannot be read (Io), is no YAML (Invalid, with line and column), has no LiveUpdate
// (Invalid). A document that is something else is a Manifest with an error at `kind`.
Result<std::vector<Manifest>> read_manifests(const std::string& file);  // "-": standard input
Result<std::vector<Manifest>> parse_manifests(const std::string& file, std::string_view text);

// Differs whenever the file may have changed.
std::string file_state(const std::string& file);
// Whether `there` is what the file's `wanted` would make of it: the spec, and the labels and annotations that
// the file names.
bool says_already(const LiveUpdate& there, const LiveUpdate& wanted);

}  // namespace live_update
