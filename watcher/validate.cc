#include "watcher/validate.h"

#include <algorithm>
#include <ostream>

#include "core/api/limits.h"
#include "core/rules/plan.h"
#include "core/rules/validate.h"
#include "watcher/host_rules.h"

namespace live_update {

Checked check_manifest(const Manifest& manifest, const FileSystem& files) {
  const LiveUpdateSpec& spec = manifest.live_update.spec;
  Checked out{.errors = manifest.errors, .rules = {}};
  auto add = [&](const std::vector<FieldError>& errors) {
    for (const FieldError& error : errors) {
      if (std::ranges::find(out.errors, error) == out.errors.end()) out.errors.push_back(error);
    }
  };
  add(without_consequences(manifest.errors, validate(spec)));
  auto rules = load_ignore_rules(spec, files);
  if (!rules) {
    add(without_consequences(manifest.errors, rules.error()));
  } else {
    out.rules = std::move(rules->rules);
    if (out.errors.empty()) add(root_errors(spec, out.rules, files));
  }
  return out;
}

std::string line_of(const Manifest& manifest, const FieldError& error) {
  const bool of_the_manifest = error.field.empty() || error.field.starts_with("spec") ||
                               error.field.starts_with("metadata") || error.field.starts_with("kind") ||
                               error.field.starts_with("apiVersion");
  return of_the_manifest ? manifest.describe(error) : error.field + ": " + error.message;
}

int validate(const ValidateCommand& command, const FileSystem& files, std::ostream& out, std::ostream& err) {
  return validate(read_manifests(command.file), command, files, out, err);
}

int validate(const Result<std::vector<Manifest>>& manifests, const ValidateCommand&, const FileSystem& files,
             std::ostream& out, std::ostream&) {
  if (!manifests) {
    out << manifests.error().message << '\n';
    return 1;
  }
  if (files.follow(".") != FileKind::Directory) {
    out << "the root " << files.root() << " is no directory: give one with --root\n";
    return 1;
  }
  bool valid = true;
  for (const Manifest& manifest : *manifests) {
    std::vector<FieldError> errors = check_manifest(manifest, files).errors;
    for (FieldError& limit : without_consequences(manifest.errors, limits(manifest.live_update)))
      errors.push_back(std::move(limit));
    for (const FieldError& error : errors) out << line_of(manifest, error) << '\n';
    for (const FieldError& warning : warnings(manifest.live_update.spec)) {
      if (errors.empty()) out << line_of(manifest, {warning.field, "warning: " + warning.message}) << '\n';
    }
    if (errors.empty())
      out << manifest.file << ": LiveUpdate " << manifest.live_update.meta.name << " is valid\n";
    valid = valid && errors.empty();
  }
  return valid ? 0 : 1;
}

}  // namespace live_update
