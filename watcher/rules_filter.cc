#include "watcher/rules_filter.h"

#include <algorithm>

#include "core/base/path.h"
#include "core/base/text.h"
#include "core/rules/plan.h"
#include "core/rules/reach.h"
#include "core/rules/validate.h"
#include "run/content.h"

namespace live_update {
namespace {

std::string clean(const std::string& path) { return path.empty() ? "." : path; }

std::string rules_digest(const LiveUpdateSpec& spec, const LiveUpdateSpec& ceiling,
                         const std::string& ignore_text, const FollowedLinks& links) {
  LiveUpdate relevant, bound;
  relevant.spec.source = spec.source;
  relevant.spec.steps = spec.steps;
  bound.spec = reach_of(ceiling);
  std::string text = encode_live_update(relevant) + encode_live_update(bound) + ignore_text;
  for (const auto& [link, end] : links) text += '\0' + link + '\0' + end;
  return sha256(text);
}

void add_new(std::vector<FieldError>& errors, std::vector<FieldError> more) {
  for (FieldError& error : more)
    if (std::ranges::find(errors, error) == errors.end()) errors.push_back(std::move(error));
}

}  // namespace

RulesFilter::RulesFilter(const LiveUpdateSpec& spec, IgnoreRules rules, std::string ignore_file)
    : rules_(std::make_shared<const IgnoreRules>(std::move(rules))),
      cursor_(*rules_),
      real_cursor_(*rules_),
      mapping_(spec),
      context_(context_of(spec)),
      ignore_file_(std::move(ignore_file)) {}

RulesFilter RulesFilter::within(RulesFilter ceiling) const {
  RulesFilter out = *this;
  out.ceiling_ = std::make_shared<const RulesFilter>(std::move(ceiling));
  return out;
}

RulesFilter RulesFilter::with(FollowedLinks links) const {
  RulesFilter out = *this;
  if (ceiling_) out.ceiling_ = std::make_shared<const RulesFilter>(ceiling_->with(links));
  out.links_ = std::move(links);
  return out;
}

IgnoreRules::Verdict RulesFilter::verdict(const std::string& path) const {
  const IgnoreRules::Verdict named = cursor_.check(path);
  if (named.ignored || links_.empty()) return named;
  const auto real = real_path(links_, path);
  return real ? real_cursor_.check(*real) : named;
}

bool RulesFilter::counts(const std::string& path) const {
  if (ceiling_ && !ceiling_->counts(path)) return false;
  return in_context(clean(path), context_) && !verdict(clean(path)).ignored;
}

bool RulesFilter::holds_back(const std::string& path) const {
  const IgnoreRules::Verdict own = verdict(clean(path));
  if (own.ignored) return own.held_back();
  return ceiling_ && ceiling_->holds_back(path);
}

bool RulesFilter::sends(const std::string& path) const {
  return mapping_.route(clean(path)) && (!ceiling_ || ceiling_->sends(path));
}

bool RulesFilter::enters(const std::string& directory) const {
  const std::string path = clean(directory);
  if (ceiling_ && !ceiling_->enters(directory)) return false;
  if (at_or_below(ignore_file_, path)) return true;
  const bool leads_in =
      in_context(path, context_) ||
      std::ranges::any_of(context_, [&](const std::string& c) { return strictly_below(c, path); });
  return leads_in && !verdict(path).whole;
}

bool RulesFilter::follows(const std::string& path) const {
  return !path.empty() && mapping_.follows(path) && (!ceiling_ || ceiling_->follows(path));
}

bool RulesFilter::follows_to(const std::string& path, const std::string& end) const {
  const auto link = links_.find(path);
  return link != links_.end() && link->second == end && !verdict(path).whole &&
         (!ceiling_ || ceiling_->follows_to(path, end));
}

// Also of a name that is not UTF-8 or a credential: it is skipped, but with a warning (rules 2.1, 2.8).
bool RulesFilter::wants_events(const std::string& path) const {
  if (path == ignore_file_ || counts(path)) return true;
  return in_context(clean(path), context_) && (!is_utf8(path) || holds_back(path));
}

std::expected<LoadedRules, std::vector<FieldError>> load_rules(const FileSystem& files,
                                                               const LiveUpdateSpec& spec,
                                                               const LiveUpdateSpec& ceiling) {
  LiveUpdateSpec own = spec;
  own.source.credentials = ceiling.source.credentials;  // whatever the cluster says
  auto errors = validate(own);
  auto loaded = load_ignore_rules(own, files);
  add_new(errors, loaded ? ignored_sources(own, loaded->rules) : loaded.error());
  if (loaded) add_new(errors, link_errors(own, ceiling, loaded->rules, files));
  if (!errors.empty()) return std::unexpected(errors);
  FollowedLinks links = followed_links(Mapping(own), files);
  const std::string digest = rules_digest(own, ceiling, loaded->text, links);
  HostIgnores ignores = told_ignores(loaded->text);
  // What is behind a link is judged by where that leads, too.
  if (!links.empty())
    ignores = {"",
               "a sync leads through a link (" + visible(links.begin()->first) + "); sync what it points to"};
  RulesFilter filter(own, std::move(loaded->rules), ignore_file_of(own));
  if (reach_of(own) == reach_of(ceiling)) return LoadedRules{filter.with(std::move(links)), digest, ignores};
  if (!reach_beyond(ceiling, own).empty())
    ignores = {
        "",
        "the spec that was accepted there, or its file, holds back other paths than the LiveUpdate in the "
        "cluster; make them equal"};
  auto bound = load_ignore_rules(ceiling, files);
  if (!bound) return std::unexpected(bound.error());
  const RulesFilter within = filter.within({ceiling, std::move(bound->rules), ignore_file_of(ceiling)});
  return LoadedRules{within.with(std::move(links)), digest, ignores};
}

}  // namespace live_update
