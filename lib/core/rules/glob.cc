#include "core/rules/glob.h"

#include <algorithm>

#include "core/base/path.h"
#include "core/base/text.h"

namespace live_update {

class Glob::Parser {
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

std::string_view Glob::compile(std::string_view text) {
  const std::string_view why = Parser(text, tokens_).parse();
  if (why.empty()) prepare();
  return why;
}

bool Glob::Token::takes(char32_t c) const {
  switch (kind) {
    case Kind::Character:
      return c == character;
    case Kind::Any:
    case Kind::Star:
      return c != '/';
    case Kind::TreeInside:
    case Kind::Rest:
      return true;
    case Kind::TreeBegin:
      return false;
    case Kind::Class:
      break;
  }
  const bool listed =
      std::ranges::any_of(ranges, [c](const auto& range) { return range.first <= c && c <= range.second; });
  return c != '/' && listed != except;
}

void Glob::prepare() {
  words_ = tokens_.size() / 64 + 1;
  for (Mask* mask : {&steps_, &loops_, &skips_, &trees_, &inside_}) mask->assign(words_, 0);
  for (std::size_t i = 0; i < tokens_.size(); ++i) {
    auto add_to = [i](Mask& mask) { mask[i / 64] |= std::uint64_t{1} << i % 64; };
    switch (tokens_[i].kind) {
      case Kind::Star:
      case Kind::Rest:
        add_to(loops_), add_to(skips_);
        break;
      case Kind::TreeBegin:
        add_to(trees_);
        break;
      case Kind::TreeInside:
        add_to(loops_), add_to(inside_);
        break;
      default:
        add_to(steps_);
    }
  }
  ascii_.assign(128 * words_, 0);
  for (std::size_t i = 0; i < tokens_.size(); ++i) note_ascii(i);
}

void Glob::note_ascii(std::size_t i) {
  const Token& token = tokens_[i];
  const std::uint64_t bit = std::uint64_t{1} << i % 64;
  if (token.kind == Kind::Character) {  // nearly all of them
    if (token.character < 128) ascii_[token.character * words_ + i / 64] |= bit;
    return;
  }
  for (char32_t c = 0; c < 128; ++c)
    if (token.takes(c)) ascii_[c * words_ + i / 64] |= bit;
}

void Glob::find_takers(char32_t c, std::uint64_t* takers) const {
  for (std::size_t i = 0; i < tokens_.size(); ++i) {
    if (tokens_[i].takes(c)) takers[i / 64] |= std::uint64_t{1} << i % 64;
  }
}

// Every position of `from` that is in `mask`, moved on. Whether that was new.
bool Glob::shift_into(std::uint64_t* to, const std::uint64_t* from, const Mask& mask, unsigned by) const {
  std::uint64_t carry = 0, added = 0;
  for (std::size_t w = 0; w < words_; ++w) {
    const std::uint64_t moving = from[w] & mask[w];
    const std::uint64_t arriving = (moving << by | carry) & ~to[w];
    to[w] |= arriving;
    added |= arriving;
    carry = moving >> (64 - by);
  }
  return added != 0;
}

// Adds what is reached by reading nothing.
void Glob::close(std::uint64_t* states) const {
  for (bool grown = true; grown;) {
    grown = shift_into(states, states, skips_, 1);
    grown = shift_into(states, states, trees_, 1) || grown;
    grown = shift_into(states, states, trees_, 2) || grown;
  }
}

void Glob::step(std::uint64_t* states, const std::uint64_t* takers, bool slash) const {
  for (std::size_t w = 0; w < words_; ++w) states[w] &= takers[w];
  std::uint64_t carry = 0;
  for (std::size_t w = 0; w < words_; ++w) {
    const std::uint64_t moving = states[w] & (steps_[w] | (slash ? inside_[w] : 0));
    states[w] = (states[w] & loops_[w]) | moving << 1 | carry;
    carry = moving >> 63;
  }
  close(states);
}

// `feed` where one word holds all states, as nearly always.
std::uint64_t Glob::feed_word(std::uint64_t now, std::string_view text) const {
  const std::uint64_t skips = skips_[0], trees = trees_[0];
  for (std::size_t at = 0; at < text.size() && now != 0;) {
    const char32_t c = next_character(text, at);
    std::uint64_t takers = 0;
    if (c < 128)
      takers = ascii_[c];
    else
      find_takers(c, &takers);
    now &= takers;
    const std::uint64_t moving = now & (steps_[0] | (c == '/' ? inside_[0] : 0));
    now = (now & loops_[0]) | moving << 1;
    for (std::uint64_t before = 0; before != now && (now & (skips | trees)) != 0;) {
      before = now;
      now |= (now & (skips | trees)) << 1 | (now & trees) << 2;
    }
  }
  return now;
}

bool Glob::feed(States& states, std::string_view text) const {
  if (words_ == 1) return (states.one_ = feed_word(states.one_, text)) != 0;
  std::uint64_t* now = states.data();
  std::vector<std::uint64_t> takers;
  for (std::size_t at = 0; at < text.size();) {
    const char32_t c = next_character(text, at);
    if (c >= 128) {
      takers.assign(words_, 0);
      find_takers(c, takers.data());
    }
    step(now, c < 128 ? &ascii_[c * words_] : takers.data(), c == '/');
    if (states.none()) return false;
  }
  return !states.none();
}

Glob::States Glob::begin() const {
  States out(words_);
  *out.data() = 1;
  close(out.data());
  return out;
}

bool Glob::accepts(const States& states) const {
  return states.data()[tokens_.size() / 64] >> tokens_.size() % 64 & 1;
}

bool Glob::States::none() const {
  return std::all_of(data(), data() + words_, [](std::uint64_t word) { return word == 0; });
}

}  // namespace live_update
