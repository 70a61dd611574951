#include "core/rules/ignore_rules.h"

#include <algorithm>
#include <ranges>

#include "core/base/path.h"
#include "core/base/text.h"
#include "core/rules/credentials.h"

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

// Of one ignore file: far more than one that people write, and not so much that comparing takes seconds.
constexpr std::size_t kMostPatterns = 10'000, kMostFileCharacters = 262'144;

// In sorted clean paths.
bool contains(const std::vector<std::string>& paths, std::string_view path) {
  return std::ranges::binary_search(paths, path, {}, [](const auto& it) { return std::string_view(it); });
}
bool contains_below(const std::vector<std::string>& paths, std::string_view path) {
  const std::string from = std::string(path) + '/';
  const auto it = std::ranges::lower_bound(paths, from);
  return it != paths.end() && it->starts_with(from);
}

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
  rules.add_credentials(spec, errors);
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
  std::size_t characters = 0;
  for (std::size_t i = 0; i < spec.source.ignore.size(); ++i) {
    const std::string field = "spec.source.ignore[" + std::to_string(i) + "]";
    const std::string& text = spec.source.ignore[i];
    characters += count_characters(text);
    if (characters > kMostPatternCharacters) {
      errors.push_back(
          {"spec.source.ignore",
           "must have at most 8192 characters in all its patterns: use fewer or shorter ones, or move "
           "them into the ignore file"});
      break;
    }
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
  std::size_t characters = 0;
  for (auto split : text | std::views::split('\n')) {
    const std::string_view line(split.begin(), split.end());
    const std::string place = file.name + ":" + std::to_string(++number);
    if (line.starts_with('#') || trim(line).empty()) continue;
    characters += count_characters(line);
    if (matcher.size() == kMostPatterns || characters > kMostFileCharacters) {
      errors.push_back({place,
                        "too many patterns: an ignore file may have 10,000, with 262,144 characters in all; "
                        "write fewer, wider ones"});
      return;
    }
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

void IgnoreRules::add_credentials(const LiveUpdateSpec& spec, std::vector<FieldError>& errors) {
  credentials_ = matchers_.size();
  Matcher& matcher = matchers_.emplace_back();
  for (std::string_view text : credential_patterns())
    matcher.push_back({*Pattern::compile(text), "credentials: " + std::string(text)});
  for (std::size_t i = 0; i < spec.source.credentials.size(); ++i) {
    const std::string_view text = trim(spec.source.credentials[i]);
    const bool retracts = text.starts_with('!');
    auto pattern = Pattern::compile(retracts ? std::string(text) : "!" + std::string(text));
    if (pattern)
      matcher.push_back({std::move(*pattern), {}, retracts});
    else
      errors.push_back(
          {"spec.source.credentials[" + std::to_string(i) + "]", Pattern::compile(text).error().message});
  }
  named_ = exempt_;
  for (const Step& step : spec.steps)
    if (const auto* sync = std::get_if<Sync>(&step)) named_.push_back(clean_path(sync->from));
  std::ranges::sort(named_);
}

std::size_t IgnoreRules::words() const {
  std::size_t words = 0;
  for (const Matcher& matcher : matchers_)
    for (const Labelled& it : matcher) words += it.pattern.words();
  return words;
}

// `progress_of(matcher, pattern)` tells how far a pattern has come at `path`. The last match of a matcher
// decides for it; a matcher that ignores the path as a whole is preferred, as that is what a crawler acts on.
template <typename ProgressOf>
IgnoreRules::Verdict IgnoreRules::decide(std::string_view path, bool suspect, ProgressOf progress_of) const {
  if (contains(exempt_, path)) return {};
  Verdict verdict;
  for (std::size_t m = 0; m < matchers_.size() && !verdict.whole; ++m) {
    if (m == credentials_ && (!suspect || contains(named_, path))) continue;
    bool whole = true;  // no later "!" of the same matcher could match below
    for (std::size_t p = matchers_[m].size(); p-- > 0;) {
      const Labelled& it = matchers_[m][p];
      const Pattern::Progress progress = progress_of(m, p);
      if (!progress.matched || it.retracts) {
        whole = whole && !(it.pattern.negated() && it.pattern.could_match_below(progress));
        if (progress.matched) p = credential_patterns().size();
        continue;
      }
      if (!it.pattern.negated() && (whole || !verdict.ignored)) verdict = {true, whole, it.by};
      break;
    }
  }
  verdict.whole = verdict.whole && !contains_below(verdict.held_back() ? named_ : exempt_, path);
  return verdict;
}

IgnoreRules::Verdict IgnoreRules::check(std::string_view path) const {
  if (path == ".") return {};
  if (!is_utf8(path)) return {true, true, kNotUtf8};
  return decide(path, has_secret_component(path), [&](std::size_t m, std::size_t p) {
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
  const bool suspect = suspect_ || looks_secret(name);
  return rules_->decide(join_path(path_, name), suspect, [&](std::size_t m, std::size_t p) {
    return rules_->matchers_[m][p].pattern.enter(progress_[m][p], name);
  });
}

IgnoreRules::Directory IgnoreRules::Directory::enter(std::string_view name) const {
  Directory out;
  out.rules_ = rules_;
  out.path_ = join_path(path_, name);
  out.suspect_ = suspect_ || looks_secret(name);
  for (std::size_t m = 0; m < progress_.size(); ++m) {
    auto& progress = out.progress_.emplace_back();
    for (std::size_t p = 0; p < progress_[m].size(); ++p) {
      progress.push_back(rules_->matchers_[m][p].pattern.enter(progress_[m][p], name));
    }
  }
  return out;
}

}  // namespace live_update
