// A pattern without "!" and clean, as an automaton: *, ?, [...], \x and ** of rule 2.3.
//
// A state is a position in the pattern; all states that are possible at once are a bit set, and one character
// moves all of them with a few word operations (as in Shift-And). So matching is linear in the text whatever
// the pattern. Immutable once compiled.
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
    Rest,        // ** at the end: anything
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

  void prepare();
  void note_ascii(std::size_t token);
  void find_takers(char32_t c, std::uint64_t* takers) const;
  std::uint64_t feed_word(std::uint64_t now, std::string_view text) const;
  void step(std::uint64_t* states, const std::uint64_t* takers, bool slash) const;
  bool shift_into(std::uint64_t* to, const std::uint64_t* from, const Mask& mask, unsigned by) const;
  void close(std::uint64_t* states) const;

  std::vector<Token> tokens_;  // the state tokens_.size() accepts
  std::size_t words_ = 1;
  Mask steps_, loops_;           // tokens that are left with the character they take, and those that stay
  Mask skips_, trees_, inside_;  // Star and Rest; TreeBegin; TreeInside
  std::vector<std::uint64_t> ascii_;  // who takes which ASCII character
};

}  // namespace live_update
