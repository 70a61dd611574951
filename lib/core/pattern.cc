#include "core/pattern.h"

#include <algorithm>
#include <bit>
#include <ranges>

#include "core/path.h"

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

// ------------------------------------------------------------------------------------------------------
// parse

class Pattern::Parser {
 public:
  Parser(std::string_view pattern, std::vector<Token>& out) : text_(pattern), out_(out) {}

  // Why it is malformed; empty if it is not.
  std::string_view parse() {
    while (why_.empty() && at_ < text_.size()) token();
    return why_;
  }

 private:
  void token() {
    switch (text_[at_]) {
      case '*':
        return stars();
      case '?':
        ++at_;
        out_.push_back({.kind = Kind::Any});
        return;
      case '[':
        ++at_;
        return character_class();
      default:
        out_.push_back({.character = character()});
    }
  }

  void stars() {
    if (!text_.substr(at_).starts_with("**")) {
      ++at_;
      out_.push_back({.kind = Kind::Star});
      return;
    }
    at_ += 2;
    if (at_ < text_.size() && text_[at_] == '/') ++at_;
    if (at_ == text_.size()) {
      out_.push_back({.kind = Kind::Rest});
    } else {
      out_.push_back({.kind = Kind::TreeBegin});
      out_.push_back({.kind = Kind::TreeInside});
    }
  }

  void character_class() {
    Token token{.kind = Kind::Class};
    if (at_ < text_.size() && text_[at_] == '^') {
      token.except = true;
      ++at_;
    }
    do {
      const char32_t low = bound();
      char32_t high = low;
      if (at_ < text_.size() && text_[at_] == '-') {
        ++at_;
        high = bound();
        if (high < low && why_.empty()) why_ = "a range goes backwards";
      }
      token.ranges.emplace_back(low, high);
    } while (why_.empty() && at_ < text_.size() && text_[at_] != ']');
    if (at_ == text_.size() && why_.empty()) why_ = "a [ is not closed";
    ++at_;
    out_.push_back(std::move(token));
  }

  // A character of a class; "-" and "]" must be escaped there, as in Go.
  char32_t bound() {
    if (at_ == text_.size()) {
      if (why_.empty()) why_ = "a [ is not closed";
      return 0;
    }
    if (text_[at_] == '-' || text_[at_] == ']') {
      if (why_.empty())
        why_ = text_[at_] == '-' ? "write \\- for a - in [ ]"
                                 : "write \\] for a ] in [ ], which must not be empty";
      return 0;
    }
    const char32_t c = character();
    if (c == kNoCharacter && why_.empty()) why_ = "it is not UTF-8";
    return c;
  }

  char32_t character() {
    if (text_[at_] == '\\' && ++at_ == text_.size()) {
      if (why_.empty()) why_ = "it ends in \\";
      return 0;
    }
    return next_character(text_, at_);
  }

  std::string_view text_;
  std::vector<Token>& out_;
  std::size_t at_ = 0;
  std::string_view why_;
};

Result<Pattern> Pattern::compile(std::string_view text) {
  Pattern out;
  std::string_view rest = trim(text);
  if (rest.starts_with('!')) {
    out.negated_ = true;
    rest = trim(rest.substr(1));
  }
  const std::string pattern = clean_pattern(rest);
  const std::string_view why = Parser(pattern, out.tokens_).parse();
  if (!why.empty()) return malformed(trim(text), why);
  out.never_ = pattern.empty() || at_or_below(pattern, "..");
  return out;
}

// ------------------------------------------------------------------------------------------------------
// match

bool Pattern::Token::takes(char32_t c) const {
  if (kind == Kind::Character) return c == character;
  if (c == '/' || kind == Kind::Any) return c != '/';
  return std::ranges::any_of(
             ranges, [c](const auto& range) { return range.first <= c && c <= range.second; }) != except;
}

// Adds a position and those that are reached from it by reading nothing.
void Pattern::add(States& states, std::size_t position) const {
  while (true) {
    std::uint64_t& word = states[position / 64];
    const std::uint64_t bit = std::uint64_t{1} << position % 64;
    if (word & bit) return;
    word |= bit;
    if (position == tokens_.size()) return;
    const Kind kind = tokens_[position].kind;
    if (kind == Kind::TreeBegin) states[(position + 1) / 64] |= std::uint64_t{1} << (position + 1) % 64;
    if (kind == Kind::TreeBegin) {
      position += 2;
    } else if (kind == Kind::Star || kind == Kind::Rest) {
      ++position;
    } else {
      return;
    }
  }
}

bool Pattern::feed(States& states, std::string_view text) const {
  States next(states.size());
  for (std::size_t at = 0; at < text.size();) {
    const char32_t c = next_character(text, at);
    std::ranges::fill(next, 0);
    for (std::size_t word = 0; word < states.size(); ++word) {
      for (std::uint64_t bits = states[word]; bits != 0; bits &= bits - 1) {
        const std::size_t position = word * 64 + std::countr_zero(bits);
        if (position == tokens_.size()) continue;
        const Token& token = tokens_[position];
        switch (token.kind) {
          case Kind::Star:
            if (c != '/') add(next, position);
            break;
          case Kind::Rest:
            add(next, position);
            break;
          case Kind::TreeBegin:
            break;
          case Kind::TreeInside:
            next[word] |= std::uint64_t{1} << position % 64;
            if (c == '/') add(next, position + 1);
            break;
          default:
            if (token.takes(c)) add(next, position + 1);
        }
      }
    }
    std::swap(states, next);
    if (std::ranges::all_of(states, [](std::uint64_t word) { return word == 0; })) return false;
  }
  return true;
}

Pattern::Progress Pattern::begin() const {
  Progress out;
  if (never_) return out;
  out.states.resize(tokens_.size() / 64 + 1);
  add(out.states, 0);
  return out;
}

Pattern::Progress Pattern::enter(const Progress& directory, std::string_view name) const {
  Progress out{.matched = directory.matched, .at_root = false};
  if (directory.matched || directory.states.empty()) return out;
  out.states = directory.states;
  if ((!directory.at_root && !feed(out.states, "/")) || !feed(out.states, name)) {
    out.states.clear();
    return out;
  }
  out.matched = out.states[tokens_.size() / 64] >> tokens_.size() % 64 & 1;
  return out;
}

bool Pattern::could_match_below(const Progress& directory) const {
  if (directory.states.empty()) return false;
  States states = directory.states;
  return directory.at_root || feed(states, "/");
}

bool Pattern::matches(std::string_view path) const {
  if (path == ".") return false;
  Progress progress = begin();
  for (auto part : path | std::views::split('/')) {
    progress = enter(progress, std::string_view(part.begin(), part.end()));
    if (progress.matched || progress.states.empty()) break;
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

// --------------------------------------------------------------------------------------------------
// PathPattern

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
