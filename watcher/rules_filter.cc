#include "watcher/rules_filter.h"

#include <algorithm>

#include "core/base/path.h"
#include "core/base/text.h"
#include "core/rules/plan.h"
#include "core/rules/validate.h"
#include "run/content.h"
#include "watcher/host_rules.h"

namespace live_update {
namespace {

std::string clean(const std::string& path) { return path.empty() ? "." : path; }

std::string rules_digest(const LiveUpdateSpec& spec, const std::string& ignore_text) {
  LiveUpdate relevant;
  relevant.spec.source = spec.source;
  relevant.spec.steps = spec.steps;
  return sha256(encode_live_update(relevant) + ignore_text);
}

void add_new(std::vector<FieldError>& errors, std::vector<FieldError> more) {
  for (FieldError& error : more)
    if (std::ranges::find(errors, error) == errors.end()) errors.push_back(std::move(error));
}

}  // namespace

RulesFilter::RulesFilter(const LiveUpdateSpec& spec, IgnoreRules rules, std::string ignore_file)
    : rules_(std::make_shared<const IgnoreRules>(std::move(rules))),
      cursor_(*rules_),
      mapping_(spec),
      context_(context_of(spec)),
      ignore_file_(std::move(ignore_file)) {}

bool RulesFilter::counts(const std::string& path) const {
  return in_context(clean(path), context_) && !verdict(clean(path)).ignored;
}

bool RulesFilter::enters(const std::string& directory) const {
  const std::string path = clean(directory);
  if (at_or_below(ignore_file_, path)) return true;
  const bool leads_in =
      in_context(path, context_) ||
      std::ranges::any_of(context_, [&](const std::string& c) { return strictly_below(c, path); });
  return leads_in && !verdict(path).whole;
}

bool RulesFilter::follows(const std::string& path) const { return !path.empty() && mapping_.follows(path); }

// Also of a name that is not UTF-8: it is skipped, but with a warning (rule 2.1).
bool RulesFilter::wants_events(const std::string& path) const {
  return path == ignore_file_ || counts(path) || (!is_utf8(path) && in_context(clean(path), context_));
}

std::expected<LoadedRules, std::vector<FieldError>> load_rules(const std::string& root,
                                                               const LiveUpdateSpec& spec) {
  const PosixFileSystem files(root);
  auto errors = validate(spec);
  auto loaded = load_ignore_rules(spec, files);
  add_new(errors, loaded ? ignored_sources(spec, loaded->rules) : loaded.error());
  if (!errors.empty()) return std::unexpected(errors);
  return LoadedRules{RulesFilter(spec, std::move(loaded->rules), ignore_file_of(spec)),
                     rules_digest(spec, loaded->text)};
}

}  // namespace live_update
