#include "core/rules/pattern.h"

#include <algorithm>
#include <ranges>

#include "core/base/path.h"
#include "core/base/text.h"

namespace live_update {
namespace {

bool is_space(char32_t c) {
  return (c >= 0x09 && c <= 0x0D) || c == 0x20 || c == 0x85 || c == 0xA0 || c == 0x1680 ||
         (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F ||
         c == 0x3000;
}

// As Go's filepath.Clean on a relative path; a ".." that leads out of the root stays in front.
std::string clean_pattern(std::string_view text) {
  std::vector<std::string_view> parts;
  for (auto split : text | std::views::split('/')) {
    const std::string_view part(split.begin(), split.end());
    if (part.empty() || part == ".") continue;
    if (part == ".." && !parts.empty() && parts.back() != "..") {
      parts.pop_back();
    } else {
      parts.push_back(part);
    }
  }
  std::string out;
  for (std::string_view part : parts) out = join_path(out, part);
  return out;
}

std::unexpected<Error> malformed(std::string_view text, std::string_view why) {
  return fail(
      ErrorKind::Invalid,
      R"(must be a well-formed pattern: close every [ with ], and write a character after every \ ()" +
          std::string(text) + ": " + std::string(why) + ")");
}

}  // namespace

std::string_view trim(std::string_view text) {
  std::size_t begin = text.size(), end = text.size();
  for (std::size_t at = 0, next = 0; at < text.size(); at = next) {
    const char32_t c = next_character(text, next);
    if (is_space(c)) continue;
    begin = std::min(begin, at);
    end = next;
  }
  return text.substr(begin, end - begin);
}

Result<Pattern> Pattern::compile(std::string_view text) {
  Pattern out;
  std::string_view rest = trim(text);
  if (const std::size_t length = count_characters(rest); length > kLongest)
    return fail(ErrorKind::Invalid, "must be at most " + std::to_string(kLongest) + " characters long, is " +
                                        std::to_string(length));
  if (rest.starts_with('!')) {
    out.negated_ = true;
    rest = trim(rest.substr(1));
  }
  const std::string pattern = clean_pattern(rest);
  const std::string_view why = out.glob_.compile(pattern);
  if (!why.empty()) return malformed(trim(text), why);
  out.never_ = pattern.empty() || at_or_below(pattern, "..");
  return out;
}

Pattern::Progress Pattern::begin() const {
  Progress out;
  if (!never_) out.states = glob_.begin();
  return out;
}

Pattern::Progress Pattern::enter(const Progress& directory, std::string_view name) const {
  Progress out{.states = {}, .matched = directory.matched, .at_root = false};
  if (directory.matched || directory.states.none()) return out;
  out.states = directory.states;
  if (!directory.at_root && !glob_.feed(out.states, "/")) return out;
  out.matched = glob_.feed(out.states, name) && glob_.accepts(out.states);
  return out;
}

bool Pattern::could_match_below(const Progress& directory) const {
  if (directory.states.none()) return false;
  Glob::States states = directory.states;
  return directory.at_root || glob_.feed(states, "/");
}

bool Pattern::matches(std::string_view path) const {
  if (path == ".") return false;
  Progress progress = begin();
  for (auto part : path | std::views::split('/')) {
    progress = enter(progress, std::string_view(part.begin(), part.end()));
    if (progress.matched || progress.states.none()) break;
  }
  return progress.matched;
}

bool Pattern::could_match_below(std::string_view directory) const {
  Progress progress = begin();
  if (directory == ".") return could_match_below(progress);
  for (auto part : directory | std::views::split('/')) {
    progress.matched = false;  // a directory that matches says nothing about what matches by itself below
    progress = enter(progress, std::string_view(part.begin(), part.end()));
  }
  return could_match_below(progress);
}

bool is_glob(std::string_view text) { return text.find_first_of("*?[\\") != std::string_view::npos; }

std::vector<std::string> PathPattern::errors(std::string_view text) {
  const std::string_view pattern = is_glob(text) ? trim(text) : text;
  std::vector<std::string> errors = host_path_errors(pattern);
  if (is_glob(text)) {
    if (const auto glob = Pattern::compile(pattern); !glob) errors.push_back(glob.error().message);
  }
  if (pattern.starts_with('!')) {
    errors.emplace_back(
        "must not begin with !, nothing can be excluded here: write \\! for a name that begins with it");
  }
  return errors;
}

Result<PathPattern> PathPattern::compile(std::string_view text) {
  if (const auto wrong = errors(text); !wrong.empty()) return fail(ErrorKind::Invalid, wrong.front());
  PathPattern out;
  out.literal_ = !is_glob(text);
  if (out.literal_) {
    out.text_ = clean_path(text);
  } else {
    out.text_ = trim(text);
    out.glob_ = *Pattern::compile(out.text_);
  }
  return out;
}

bool PathPattern::matches(std::string_view path) const {
  return literal_ ? at_or_below(path, text_) : glob_.matches(path);
}

bool PathPattern::reaches_into(std::string_view context) const {
  if (literal_) return at_or_below(text_, context);
  return glob_.matches(context) || glob_.could_match_below(context);
}

}  // namespace live_update
