#include "watcher/validate.h"

#include <algorithm>
#include <ostream>

#include "core/api/limits.h"
#include "core/base/text.h"
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
  return visible(of_the_manifest ? manifest.describe(error) : error.field + ": " + error.message);
}

int validate(const ValidateCommand& command, const FileSystem& files, std::ostream& out, std::ostream& err) {
  return validate(read_manifests(command.file), command, files, out, err);
}

namespace {

// Everything there is to say about one of them. Whether it is valid.
bool tell(const Manifest& manifest, const FileSystem& files, std::ostream& out) {
  const LiveUpdate& live_update = manifest.live_update;
  auto [errors, rules] = check_manifest(manifest, files);
  for (FieldError& limit : without_consequences(manifest.errors, limits(live_update)))
    if (std::ranges::find(errors, limit) == errors.end()) errors.push_back(std::move(limit));
  for (const FieldError& error : errors) out << line_of(manifest, error) << '\n';
  if (!errors.empty()) return false;
  const Mapping mapping(live_update.spec);
  const DiskTree disk(files, mapping, rules);
  for (const FieldError& warning : warnings(live_update.spec, &disk))
    out << line_of(manifest, {warning.field, "warning: " + warning.message}) << '\n';
  out << visible(manifest.file + ": LiveUpdate " + live_update.meta.name) << " is valid\n";
  return true;
}

}  // namespace

int validate(const Result<std::vector<Manifest>>& manifests, const ValidateCommand&, const FileSystem& files,
             std::ostream& out, std::ostream&) {
  if (!manifests) {
    out << visible_lines(manifests.error().message) << '\n';
    return 1;
  }
  if (files.follow(".") != FileKind::Directory) {
    out << "the root " << visible(files.root()) << " is no directory: give one with --root\n";
    return 1;
  }
  bool valid = true;
  for (const Manifest& manifest : *manifests) valid = tell(manifest, files, out) && valid;
  return valid ? 0 : 1;
}

}  // namespace live_update
