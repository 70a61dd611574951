// `live-update validate`: every breach of a rule in a file of LiveUpdates, with its place and field.
#pragma once

#include <iosfwd>
#include <string>
#include <vector>

#include "core/base/result.h"
#include "core/rules/ignore_rules.h"
#include "watcher/command_line.h"
#include "watcher/file_system.h"
#include "watcher/manifest_file.h"

namespace live_update {

// The exit code: 0 if all LiveUpdates of the file are valid, else 1. `files` is rooted at root_of(file,
// --root). Errors and warnings go to `out`, one line each: "liveupdate.yaml:12:5: spec.steps[2].sync.to: must
// be ...".
int validate(const ValidateCommand& command, const FileSystem& files, std::ostream& out, std::ostream& err);
int validate(const Result<std::vector<Manifest>>& manifests, const ValidateCommand& command,
             const FileSystem& files, std::ostream& out, std::ostream& err);

// What the commands (explain, watch, push, validate) ask before they use a LiveUpdate: everything that is
// wrong with it, and the rules of what is ignored if those can be read.
struct Checked {
  std::vector<FieldError> errors;
  IgnoreRules rules;
};
Checked check_manifest(const Manifest& manifest, const FileSystem& files);

// An error as a line for people: with file, line and column if the field is in the manifest.
std::string line_of(const Manifest& manifest, const FieldError& error);

}  // namespace live_update
