// The one pattern dialect, that of .dockerignore, for ignore lists, ignore files and the globs of fallBackOn
// and triggers (rule 2.3).
//
// A path is fed to a pattern component by component, so a walk pays for each name once. Values: copy and
// share as you like.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "core/rules/glob.h"

namespace live_update {

class Pattern {
 public:
  // How far a pattern has come along a path. Only `Pattern` looks inside, but for `matched`.
  struct Progress {
    Glob::States states;
    bool matched = false;  // the path so far, or a directory above it, matches
    bool at_root = true;
  };

  static constexpr std::size_t kLongest = 1024;  // characters, as in the CRD

  // As written in a list or on a line of a file: white space around it, a leading and a trailing "/" and a
  // leading "!" have their meaning of rule 2.3. Invalid if malformed (rule 2.4) or longer than kLongest, in the
  // words of the CRD.
  static Result<Pattern> compile(std::string_view text);

  bool negated() const { return negated_; }
  std::size_t words() const { return glob_.words(); }  // what a character of a path costs
  // Whether the pattern, its "!" left aside, matches a clean path or a directory above it. Never true for the
  // root.
  bool matches(std::string_view path) const;
  // Whether some path strictly below a directory could match by itself; true when in doubt (rule 2.6).
  bool could_match_below(std::string_view directory) const;

  // The same in steps, for walks: begin at the root, enter one component after the other.
  Progress begin() const;
  Progress enter(const Progress& directory, std::string_view name) const;
  bool could_match_below(const Progress& directory) const;

 private:
  Glob glob_;
  bool negated_ = false;
  bool never_ = false;  // ".", empty, or out of the root: matches nothing
};

// An entry of fallBackOn.paths or of triggers (rule 3.1): a literal host path with all below it, or a glob.
class PathPattern {
 public:
  // All that is wrong with it by rules 1.5, 2.4 and 3.1, in the words of the CRD; empty: nothing.
  static std::vector<std::string> errors(std::string_view text);
  // Invalid with the first of those errors.
  static Result<PathPattern> compile(std::string_view text);

  bool matches(std::string_view path) const;
  bool literal() const { return literal_; }
  std::size_t words() const { return literal_ ? 0 : glob_.words(); }
  // The clean path of a literal, the text of a glob.
  const std::string& text() const { return text_; }
  // Whether a path at or below this context path could match (rule 1.3); for a literal: whether it lies there
  // (rule 1.6).
  bool reaches_into(std::string_view context) const;

 private:
  std::string text_;
  Pattern glob_;
  bool literal_ = true;
};

// Whether an entry of fallBackOn.paths or of triggers is a glob: it has a "*", "?", "[" or "\" (rule 3.1).
bool is_glob(std::string_view text);

// What all patterns of a spec together may have, so that comparing a path with them has a bound.
inline constexpr std::size_t kMostPatternCharacters = 8192;

// Without the white space around it, Unicode's included.
std::string_view trim(std::string_view text);

}  // namespace live_update
