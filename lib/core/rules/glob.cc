#include "core/rules/glob.h"

#include <algorithm>

#include "core/base/path.h"
#include "core/base/text.h"

namespace live_update {
namespace {

constexpr char32_t kAscii = 128;

char32_t character_at(std::string_view text, std::size_t& at) {
  const auto byte = static_cast<unsigned char>(text[at]);
  if (byte >= kAscii) return next_character(text, at);
  ++at;
  return byte;
}

}  // namespace

class Glob::Parser {
 public:
  Parser(std::string_view pattern, std::vector<Token>& out) : text_(pattern), out_(out) {}

  // Why it is malformed; empty if it is not.
  std::string_view parse() {
    if (only_a_suffix()) {
      at_ = 2;
      out_.push_back({.kind = Kind::Rest});
    }
    while (why_.empty() && at_ < text_.size()) token();
    return why_;
  }

 private:
  // "**" and then literal characters only: any path that ends with them, as Docker's matcher has it. With a "/"
  // after it, that is what TreeBegin says, too.
  bool only_a_suffix() const {
    return text_.size() > 2 && text_.starts_with("**") && text_[2] != '/' &&
           text_.find_first_of("*?[]\\", 2) == std::string_view::npos;
  }

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
    const bool again = !out_.empty() && out_.back().kind == Kind::TreeInside;  // **/**/ is **/
    if (at_ == text_.size()) {
      if (again) out_.resize(out_.size() - 2);
      out_.push_back({.kind = Kind::Rest});
    } else if (!again) {
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

std::string_view Glob::compile(std::string_view text) {
  const std::string_view why = Parser(text, tokens_).parse();
  if (why.empty()) prepare();
  return why;
}

bool Glob::Token::takes(char32_t c) const {
  const bool listed =
      std::ranges::any_of(ranges, [c](const auto& range) { return range.first <= c && c <= range.second; });
  return c != '/' && listed != except;
}

void Glob::prepare() {
  words_ = tokens_.size() / 64 + 1;
  for (Mask* mask : {&steps_, &loops_, &skips_, &trees_, &inside_}) mask->assign(words_, 0);
  find_intervals();
  takers_.assign((kAscii + intervals_.size()) * words_, 0);
  Mask not_slash(words_), all(words_);
  for (std::size_t i = 0; i < tokens_.size(); ++i) note(i, not_slash, all);
  for (std::size_t row = 0; row < kAscii + intervals_.size(); ++row) {
    for (std::size_t w = 0; w < words_; ++w)
      takers_[row * words_ + w] |= all[w] | (row == '/' ? 0 : not_slash[w]);
  }
}

void Glob::find_intervals() {
  intervals_ = {kAscii};
  auto part_of = [&](char32_t low, char32_t high) {
    if (high < kAscii) return;
    intervals_.push_back(std::max(low, kAscii));
    intervals_.push_back(high + 1);
  };
  for (const Token& token : tokens_) {
    if (token.kind == Kind::Character) part_of(token.character, token.character);
    for (const auto& [low, high] : token.ranges) part_of(low, high);
  }
  std::ranges::sort(intervals_);
  intervals_.erase(std::unique(intervals_.begin(), intervals_.end()), intervals_.end());
}

std::size_t Glob::row_of(char32_t c) const {
  if (c < kAscii) return c;
  return kAscii + static_cast<std::size_t>(std::ranges::upper_bound(intervals_, c) - intervals_.begin()) - 1;
}

// Enters one token into all masks. Those that take every character, or every one but "/", go into `all` and
// `not_slash`.
void Glob::note(std::size_t i, Mask& not_slash, Mask& all) {
  const std::uint64_t bit = std::uint64_t{1} << i % 64;
  auto add_to = [&](Mask& mask) { mask[i / 64] |= bit; };
  const Token& token = tokens_[i];
  switch (token.kind) {
    case Kind::Character:
      add_to(steps_);
      takers_[row_of(token.character) * words_ + i / 64] |= bit;
      break;
    case Kind::Class:
      add_to(steps_);
      for (std::size_t row = 0; row < kAscii + intervals_.size(); ++row) {
        const char32_t c = row < kAscii ? static_cast<char32_t>(row) : intervals_[row - kAscii];
        if (token.takes(c)) takers_[row * words_ + i / 64] |= bit;
      }
      break;
    case Kind::Any:
      add_to(steps_), add_to(not_slash);
      break;
    case Kind::Star:
      add_to(loops_), add_to(skips_), add_to(not_slash);
      break;
    case Kind::TreeBegin:
      add_to(trees_);
      break;
    case Kind::TreeInside:
      add_to(loops_), add_to(inside_), add_to(all);
      break;
    case Kind::Rest:
      add_to(loops_), add_to(skips_), add_to(all);
      break;
  }
}

// Adds what is reached from one word by reading nothing. One pass is enough: TreeBegin leads over TreeInside to a
// Star at most, and Star and Rest to a token that reads, or to the end.
std::uint64_t Glob::reach(std::size_t w, std::uint64_t now, Carry& carry) const {
  const std::uint64_t tree = now & trees_[w];
  now |= tree << 1 | tree << 2 | carry.tree;
  carry.tree = tree >> 63 | tree >> 62;
  const std::uint64_t skip = now & skips_[w];
  now |= skip << 1 | carry.skip;
  carry.skip = skip >> 63;
  return now;
}

// One word after one character; `now` are the states that take it.
std::uint64_t Glob::next(std::size_t w, std::uint64_t now, bool slash, Carry& carry) const {
  const std::uint64_t moving = now & (steps_[w] | (slash ? inside_[w] : 0));
  const std::uint64_t moved = (now & loops_[w]) | moving << 1 | carry.move;
  carry.move = moving >> 63;
  return reach(w, moved, carry);
}

// `feed` where one word holds all states, as nearly always.
std::uint64_t Glob::feed_word(std::uint64_t now, std::string_view text) const {
  const std::uint64_t steps = steps_[0], with_slash = steps_[0] | inside_[0];
  const std::uint64_t loops = loops_[0], trees = trees_[0], skips = skips_[0];
  for (std::size_t at = 0; at < text.size() && now != 0;) {
    const char32_t c = character_at(text, at);
    now &= takers_[row_of(c)];
    now = (now & loops) | (now & (c == '/' ? with_slash : steps)) << 1;
    const std::uint64_t tree = now & trees;
    now |= tree << 1 | tree << 2;
    now |= (now & skips) << 1;
  }
  return now;
}

bool Glob::feed(States& states, std::string_view text) const {
  if (words_ == 1) return (states.one_ = feed_word(states.one_, text)) != 0;
  std::uint64_t* now = states.data();
  for (std::size_t at = 0; at < text.size();) {
    const char32_t c = character_at(text, at);
    const std::uint64_t* takers = &takers_[row_of(c) * words_];
    Carry carry;
    std::uint64_t any = 0;
    for (std::size_t w = 0; w < words_; ++w) any |= now[w] = next(w, now[w] & takers[w], c == '/', carry);
    if (any == 0) return false;
  }
  return !states.none();
}

Glob::States Glob::begin() const {
  States out(words_);
  Carry carry;
  *out.data() = 1;
  for (std::size_t w = 0; w < words_; ++w) out.data()[w] = reach(w, out.data()[w], carry);
  return out;
}

bool Glob::accepts(const States& states) const {
  return states.data()[tokens_.size() / 64] >> tokens_.size() % 64 & 1;
}

bool Glob::States::none() const {
  return std::all_of(data(), data() + words_, [](std::uint64_t word) { return word == 0; });
}

}  // namespace live_update
