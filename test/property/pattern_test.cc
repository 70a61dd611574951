// Patterns and ignore rules, against a matcher written from the text of rules 2.2 to 2.6, with no care for speed.
#include "core/rules/pattern.h"

#include <algorithm>
#include <string>
#include <vector>

#include "core/rules/ignore_rules.h"
#include "test/property/holds.h"

using namespace live_update;
using namespace live_update::property;

namespace {

// A path of few characters, so that patterns meet it.
struct ShortPath {
  std::string text;
  static ShortPath draw(Dice& dice, int) {
    constexpr const char* kPieces[] = {"a", "a", "b", "ab", "ä", "-", ".git", "c", "/", "/", "/"};
    ShortPath path;
    for (std::size_t count = 1 + dice.below(6); count > 0; --count) path.text += dice.pick(kPieces);
    return path.clean();
  }
  std::vector<ShortPath> simpler() const {
    std::vector<ShortPath> out;
    for (std::size_t i = 0; i < text.size(); ++i)
      if (static_cast<unsigned char>(text[i]) < 0x80 && text.size() > 1) {
        ShortPath shorter{text.substr(0, i) + text.substr(i + 1)};
        if (shorter.clean().text == shorter.text) out.push_back(shorter);
      }
    return out;
  }
  ShortPath clean() const {
    std::string out;
    for (char c : text)
      if (c != '/' || (!out.empty() && out.back() != '/')) out += c;
    while (out.ends_with('/')) out.pop_back();
    return {out.empty() ? "a" : out};
  }
};
void showValue(const ShortPath& it, std::ostream& out) { out << it.text; }

struct Wild {
  std::vector<std::string> pieces;
  static Wild draw(Dice& dice, int) {
    constexpr const char* kPieces[] = {"a",    "a",    "b",     "ab",  "c",   "/",      "/",    "/",
                                       "*",    "*",    "**",    "**/", "**/", "?",      "ä",    "-",
                                       "[ab]", "[^a]", "[a-c]", "\\a", "\\*", "[\\-b]", ".git", "[^ä]"};
    Wild wild;
    if (dice.one_in(5)) wild.pieces.emplace_back("!");
    if (dice.one_in(8)) wild.pieces.emplace_back("/");
    for (std::size_t count = 1 + dice.below(6); count > 0; --count)
      wild.pieces.emplace_back(dice.pick(kPieces));
    if (dice.one_in(8)) wild.pieces.emplace_back("/");
    return wild;
  }
  std::vector<Wild> simpler() const {
    std::vector<Wild> out;
    for (std::size_t i = 0; i < pieces.size() && pieces.size() > 1; ++i) {
      Wild shorter = *this;
      shorter.pieces.erase(shorter.pieces.begin() + static_cast<std::ptrdiff_t>(i));
      out.push_back(shorter);
    }
    return out;
  }
  std::string text() const {
    std::string text;
    for (const std::string& it : pieces) text += it;
    return text;
  }
  bool negated() const { return pieces.front() == "!"; }
};
void showValue(const Wild& it, std::ostream& out) { out << it.text(); }

// The bytes of the character that begins here.
std::size_t length(std::string_view text) {
  const auto byte = static_cast<unsigned char>(text[0]);
  return byte < 0x80 ? 1 : byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4;
}

// [ab], [^a], [a-c], with \x: takes it off the pattern.
bool class_takes(std::string_view& pattern, std::string_view character) {
  pattern.remove_prefix(1);
  const bool except = pattern.starts_with('^');
  if (except) pattern.remove_prefix(1);
  const auto next = [&] {
    if (pattern.starts_with('\\')) pattern.remove_prefix(1);
    const std::string_view c = pattern.substr(0, length(pattern));
    pattern.remove_prefix(c.size());
    return c;
  };
  bool listed = false;
  while (!pattern.starts_with(']')) {
    const std::string_view low = next();
    std::string_view high = low;
    if (pattern.starts_with('-')) pattern.remove_prefix(1), high = next();
    listed = listed || (low <= character && character <= high);  // UTF-8 sorts as its characters do
  }
  pattern.remove_prefix(1);
  return listed != except && character != "/";
}

// Rule 2.3, word by word.
bool matches_whole(std::string_view pattern, std::string_view path) {
  if (pattern.empty()) return path.empty();
  if (pattern.starts_with("**")) {
    pattern.remove_prefix(2);
    if (pattern.starts_with('/')) pattern.remove_prefix(1);
    if (pattern.empty() || matches_whole(pattern, path)) return true;
    for (std::size_t i = 0; i < path.size(); ++i)
      if (path[i] == '/' && matches_whole(pattern, path.substr(i + 1))) return true;
    return false;
  }
  if (pattern.starts_with('*')) {
    for (;; path.remove_prefix(length(path))) {
      if (matches_whole(pattern.substr(1), path)) return true;
      if (path.empty() || path[0] == '/') return false;
    }
  }
  if (path.empty()) return false;
  const std::string_view character = path.substr(0, length(path));
  const std::string_view rest = path.substr(character.size());
  if (pattern.starts_with('[')) return class_takes(pattern, character) && matches_whole(pattern, rest);
  if (pattern.starts_with('?')) return character != "/" && matches_whole(pattern.substr(1), rest);
  if (pattern.starts_with('\\')) pattern.remove_prefix(1);
  const std::size_t size = length(pattern);
  return pattern.substr(0, size) == character && matches_whole(pattern.substr(size), rest);
}

std::string clean(const Wild& wild) {
  std::string text = wild.text(), out;
  if (wild.negated()) text.erase(0, 1);
  for (char c : text)
    if (c != '/' || (!out.empty() && out.back() != '/')) out += c;
  while (out.ends_with('/')) out.pop_back();
  return out;
}

// The path by itself.
bool naive_by_itself(const Wild& wild, std::string_view path) {
  const std::string pattern = clean(wild);
  if (pattern.empty()) return false;
  const bool only_a_suffix = pattern.size() > 2 && pattern.starts_with("**") && pattern[2] != '/' &&
                             pattern.find_first_of("*?[]\\", 2) == std::string::npos;
  return only_a_suffix ? path.ends_with(std::string_view(pattern).substr(2)) : matches_whole(pattern, path);
}

std::vector<std::string> with_folders_above(const std::string& path) {
  std::vector<std::string> out;
  for (auto slash = path.find('/'); slash != std::string::npos; slash = path.find('/', slash + 1))
    out.push_back(path.substr(0, slash));
  out.push_back(path);
  return out;
}

// Or a folder above it.
bool naive(const Wild& wild, const std::string& path) {
  return std::ranges::any_of(with_folders_above(path),
                             [&](const std::string& it) { return naive_by_itself(wild, it); });
}

}  // namespace

TEST_CASE("2.3 a pattern says of a path what the rule says") {
  holds(7'000, [](const Wild& wild, const ShortPath& path) {
    const auto pattern = Pattern::compile(wild.text());
    RC_ASSERT(pattern.has_value());
    RC_ASSERT(pattern->negated() == wild.negated());
    const bool expected = naive(wild, path.text);
    RC_CLASSIFY(expected, "it matches");
    RC_ASSERT(pattern->matches(path.text) == expected);
    // Rule 2.6: no folder is left out below which something matches.
    for (const std::string& folder : with_folders_above(path.text))
      if (folder != path.text && naive_by_itself(wild, path.text))
        RC_ASSERT(pattern->could_match_below(folder));
  });
}

namespace {

using Wilds = List<Wild, 4>;

// "In each matcher the last pattern that matches decides."
bool naive_verdict(const std::vector<Wild>& matcher, const std::string& path) {
  bool ignored = false;
  for (const Wild& it : matcher)
    if (naive(it, path)) ignored = !it.negated();
  return ignored;
}

bool is_git(const std::string& path) { return ("/" + path + "/").contains("/.git/"); }

}  // namespace

TEST_CASE("2.2 2.6 what is ignored is what the rules say, however it is asked") {
  holds(4'000,
        [](const Wilds& list, const Wilds& file, const List<ShortPath, 5>& paths, const ShortPath& stop) {
          LiveUpdateSpec spec;
          spec.steps = {FallBackOn{{stop.text}}};
          std::string text;
          for (const Wild& it : list) spec.source.ignore.push_back(it.text());
          for (const Wild& it : file) text += it.text() + "\n";
          const auto rules = IgnoreRules::compile(spec, IgnoreFile{".dockerignore", text});
          RC_ASSERT(rules.has_value());
          IgnoreRules::Cursor cursor(*rules);
          for (const ShortPath& path : paths) {
            const bool exempt = path.text == stop.text;
            const bool expected = !exempt && (naive_verdict(list.all, path.text) ||
                                              naive_verdict(file.all, path.text) || is_git(path.text));
            RC_CLASSIFY(expected, "a path is ignored");
            const auto verdict = rules->check(path.text);
            RC_ASSERT(verdict.ignored == expected);
            const auto walked = cursor.check(path.text);
            RC_ASSERT(walked.ignored == verdict.ignored);
            RC_ASSERT(walked.whole == verdict.whole);
            RC_ASSERT(walked.by == verdict.by);
            for (const std::string& folder : with_folders_above(path.text)) {
              const bool left_out = rules->check(folder).whole;
              RC_CLASSIFY(left_out && folder != path.text, "a folder need not be entered");
              if (left_out) RC_ASSERT(expected);
            }
          }
        });
}
