// A pattern without "!" and clean, as an automaton: *, ?, [...], \x and ** of rule 2.3.
//
// A state is a position in the pattern; all states that are possible at once are a bit set, and one character
// moves all of them in one pass over its words (as in Shift-And). So matching takes text times pattern / 64 steps
// at most, whatever the two are. Immutable once compiled.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

namespace live_update {

class Glob {
 public:
  // What is possible after some text.
  class States {
   public:
    States() = default;
    bool none() const;

   private:
    friend class Glob;
    explicit States(std::size_t words) : words_(words), many_(words > 1 ? words : 0) {}
    std::uint64_t* data() { return words_ > 1 ? many_.data() : &one_; }
    const std::uint64_t* data() const { return words_ > 1 ? many_.data() : &one_; }
    std::size_t words_ = 1;
    std::uint64_t one_ = 0;  // most patterns are short: no allocation
    std::vector<std::uint64_t> many_;
  };

  // Why `pattern` is malformed; empty if it is not.
  std::string_view compile(std::string_view pattern);

  States begin() const;
  // Reads on. False: no state is left, nothing that begins with this text matches.
  bool feed(States& states, std::string_view text) const;
  // What one character costs.
  std::size_t words() const { return words_; }
  // Whether all of the text so far matches.
  bool accepts(const States& states) const;

 private:
  enum class Kind : std::uint8_t {
    Character,   // exactly this one
    Any,         // ?
    Class,       // [...]
    Star,        // * : any run without "/"
    TreeBegin,   // ** or **/ in the middle: nothing, or ...
    TreeInside,  // ... anything that ends in "/"
    Rest,        // ** at the end, or before literal characters only: anything
  };
  struct Token {
    Kind kind = Kind::Character;
    char32_t character = 0;
    bool except = false;  // [^...]
    std::vector<std::pair<char32_t, char32_t>> ranges;
    bool takes(char32_t c) const;
  };
  using Mask = std::vector<std::uint64_t>;
  class Parser;
  // What moves from one word of a bit set into the next.
  struct Carry {
    std::uint64_t move = 0, tree = 0, skip = 0;
  };

  void prepare();
  void find_intervals();
  void note(std::size_t token, Mask& not_slash, Mask& all);
  std::size_t row_of(char32_t c) const;
  std::uint64_t feed_word(std::uint64_t now, std::string_view text) const;
  std::uint64_t next(std::size_t word, std::uint64_t now, bool slash, Carry& carry) const;
  std::uint64_t reach(std::size_t word, std::uint64_t now, Carry& carry) const;

  std::vector<Token> tokens_;  // the state tokens_.size() accepts
  std::size_t words_ = 1;
  Mask steps_, loops_;           // tokens that are left with the character they take, and those that stay
  Mask skips_, trees_, inside_;  // Star and Rest; TreeBegin; TreeInside
  // Characters beyond ASCII by intervals in which all tokens agree: where each begins.
  std::vector<char32_t> intervals_;
  Mask takers_;  // a row of words_ for each ASCII character, then for each interval: the tokens that take it
};

}  // namespace live_update
