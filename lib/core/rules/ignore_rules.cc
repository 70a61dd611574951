#include "core/rules/ignore_rules.h"

#include <algorithm>
#include <ranges>

#include "core/base/path.h"
#include "core/base/text.h"

namespace live_update {
namespace {

// Rule 2.5.
constexpr std::string_view kTemporaryFiles[] = {
    "**/*___jb_old___",
    "**/*___jb_tmp___",
    "**/.idea",
    "**/.#*",
    "**/#*#",
    "**/flymake_*.*",
    "**/4913",
    "**/*~",
    "**/.*.swp",
    "**/.*.swx",
    "**/.*.swo",
    "**/.*.swn",
    "**/.*.kate-swp",
    "**/*-go-tmp-umask",
    "**/.DS_Store",
    "**/.nfs*",
    "**/.goutputstream-*",
};

constexpr std::string_view kNotUtf8 = "built in: a path that is not UTF-8 cannot be sent";

}  // namespace

IgnoreRules::IgnoreRules() { add_built_in(); }

std::expected<IgnoreRules, std::vector<FieldError>> IgnoreRules::compile(
    const LiveUpdateSpec& spec, const std::optional<IgnoreFile>& file) {
  std::vector<FieldError> errors;
  IgnoreRules rules;
  rules.matchers_.clear();
  rules.add_spec(spec, errors);
  if (file) rules.add_file(*file, errors);
  rules.add_built_in();
  if (!errors.empty()) return std::unexpected(std::move(errors));
  return rules;
}

IgnoreRules IgnoreRules::from_spec(const LiveUpdateSpec& spec) {
  std::vector<FieldError> left_out;
  IgnoreRules rules;
  rules.matchers_.clear();
  rules.add_spec(spec, left_out);
  rules.add_built_in();
  return rules;
}

void IgnoreRules::add_spec(const LiveUpdateSpec& spec, std::vector<FieldError>& errors) {
  Matcher& matcher = matchers_.emplace_back();
  for (std::size_t i = 0; i < spec.source.ignore.size(); ++i) {
    const std::string field = "spec.source.ignore[" + std::to_string(i) + "]";
    const std::string& text = spec.source.ignore[i];
    auto pattern = Pattern::compile(text);
    if (pattern)
      matcher.push_back({std::move(*pattern), field + ": " + std::string(trim(text))});
    else
      errors.push_back({field, pattern.error().message});
  }
  for (const Step& step : spec.steps) {
    const FallBackOn* fall_back_on = std::get_if<FallBackOn>(&step);
    if (!fall_back_on) continue;
    for (const std::string& path : fall_back_on->paths) {
      if (!is_glob(path)) exempt_.push_back(clean_path(path));
    }
  }
  std::ranges::sort(exempt_);
}

void IgnoreRules::add_file(const IgnoreFile& file, std::vector<FieldError>& errors) {
  Matcher& matcher = matchers_.emplace_back();
  std::string_view text = file.text;
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  int number = 0;
  for (auto split : text | std::views::split('\n')) {
    const std::string_view line(split.begin(), split.end());
    const std::string place = file.name + ":" + std::to_string(++number);
    if (line.starts_with('#') || trim(line).empty()) continue;
    auto pattern = Pattern::compile(line);
    if (pattern)
      matcher.push_back({std::move(*pattern), place + ": " + std::string(trim(line))});
    else
      errors.push_back({place, pattern.error().message});
  }
}

void IgnoreRules::add_built_in() {
  auto add = [](Matcher& matcher, std::string_view text) {
    matcher.push_back({*Pattern::compile(text), "built in: " + std::string(text)});
  };
  add(matchers_.emplace_back(), "**/.git");
  Matcher& temporary = matchers_.emplace_back();
  for (std::string_view text : kTemporaryFiles) add(temporary, text);
}

bool IgnoreRules::exempt(std::string_view path) const {
  return std::ranges::binary_search(exempt_, path, {}, [](const auto& p) { return std::string_view(p); });
}

bool IgnoreRules::exempt_below(std::string_view path) const {
  const std::string from = std::string(path) + '/';
  const auto it = std::ranges::lower_bound(exempt_, from);
  return it != exempt_.end() && it->starts_with(from);
}

// `progress_of(matcher, pattern)` tells how far a pattern has come at `path`. The last match of a matcher
// decides for it; a matcher that ignores the path as a whole is preferred, as that is what a crawler acts on.
template <typename ProgressOf>
IgnoreRules::Verdict IgnoreRules::decide(std::string_view path, ProgressOf progress_of) const {
  if (exempt(path)) return {};
  Verdict verdict;
  for (std::size_t m = 0; m < matchers_.size() && !verdict.whole; ++m) {
    bool whole = true;  // no later "!" of the same matcher could match below
    for (std::size_t p = matchers_[m].size(); p-- > 0;) {
      const Labelled& it = matchers_[m][p];
      const Pattern::Progress progress = progress_of(m, p);
      if (!progress.matched) {
        whole = whole && !(it.pattern.negated() && it.pattern.could_match_below(progress));
        continue;
      }
      if (!it.pattern.negated() && (whole || !verdict.ignored)) verdict = {true, whole, it.by};
      break;
    }
  }
  verdict.whole = verdict.whole && !exempt_below(path);
  return verdict;
}

IgnoreRules::Verdict IgnoreRules::check(std::string_view path) const {
  if (path == ".") return {};
  if (!is_utf8(path)) return {true, true, kNotUtf8};
  return decide(path, [&](std::size_t m, std::size_t p) {
    const Pattern& pattern = matchers_[m][p].pattern;
    Pattern::Progress progress = pattern.begin();
    for (auto part : path | std::views::split('/')) {
      if (progress.matched) break;
      progress = pattern.enter(progress, std::string_view(part.begin(), part.end()));
    }
    return progress;
  });
}

IgnoreRules::Directory IgnoreRules::root() const {
  Directory root;
  root.rules_ = this;
  for (const Matcher& matcher : matchers_) {
    auto& progress = root.progress_.emplace_back();
    for (const Labelled& it : matcher) progress.push_back(it.pattern.begin());
  }
  return root;
}

IgnoreRules::Verdict IgnoreRules::Cursor::check(std::string_view path) {
  if (path == "." || !is_utf8(path)) return rules_->check(path);
  const std::string_view parent = parent_path(path);
  if (here_.path() != parent) {
    const bool below = strictly_below(parent, here_.path());
    const std::string way(below ? relative_to(parent, here_.path()) : parent);
    if (!below) here_ = rules_->root();
    for (auto part : way | std::views::split('/')) {
      const std::string_view name(part.begin(), part.end());
      if (name != ".") here_ = here_.enter(name);
    }
  }
  return here_.check(base_name(path));
}

IgnoreRules::Verdict IgnoreRules::Directory::check(std::string_view name) const {
  if (!is_utf8(name)) return {true, true, kNotUtf8};
  return rules_->decide(join_path(path_, name), [&](std::size_t m, std::size_t p) {
    return rules_->matchers_[m][p].pattern.enter(progress_[m][p], name);
  });
}

IgnoreRules::Directory IgnoreRules::Directory::enter(std::string_view name) const {
  Directory out;
  out.rules_ = rules_;
  out.path_ = join_path(path_, name);
  for (std::size_t m = 0; m < progress_.size(); ++m) {
    auto& progress = out.progress_.emplace_back();
    for (std::size_t p = 0; p < progress_[m].size(); ++p) {
      progress.push_back(rules_->matchers_[m][p].pattern.enter(progress_[m][p], name));
    }
  }
  return out;
}

}  // namespace live_update
