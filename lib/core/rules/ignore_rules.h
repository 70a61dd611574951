// Which paths do not exist for a LiveUpdate, and why (rules 2.1 to 2.6).
//
// Four matchers, each with its own "last pattern decides", ORed: spec.source.ignore, the ignore file, .git,
// editors' temporary files. A literal fallBackOn path is exempt. Ask `check` for one changed path; ask a
// `Directory` while walking a tree: it knows how far each pattern has come, so an entry costs only its own
// name. Immutable after construction; copies are cheap to share by const&.
#pragma once

#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/api/codec.h"
#include "core/api/kinds.h"
#include "core/rules/pattern.h"

namespace live_update {

// The ignore file as read from the disk; `name` is relative to the root: ".dockerignore".
struct IgnoreFile {
  std::string name, text;
};

class IgnoreRules {
 public:
  struct Verdict {
    bool ignored = false;
    // Rule 2.6: nothing at or below the path can count; a crawler need neither watch nor enter it.
    bool whole = false;
    // The pattern that decided: ".dockerignore:3: node_modules", "spec.source.ignore[2]: **/*.pyc", "built
    // in: **/.git". Lives as long as the rules; empty if not ignored.
    std::string_view by;
  };

  // A directory during a walk. Refers to its rules, which must outlive it.
  class Directory {
   public:
    // What holds for an entry, whatever its type; skip an ignored directory only if `whole`.
    Verdict check(std::string_view name) const;
    Directory enter(std::string_view name) const;
    // Clean, "." for the root.
    const std::string& path() const { return path_; }

   private:
    friend class IgnoreRules;
    const IgnoreRules* rules_ = nullptr;
    std::string path_ = ".";
    std::vector<std::vector<Pattern::Progress>> progress_;  // by matcher and pattern
  };

  // Looks paths up one after the other; fast if those of one directory come together. Its rules must outlive
  // it.
  class Cursor {
   public:
    explicit Cursor(const IgnoreRules& rules) : rules_(&rules), here_(rules.root()) {}
    Verdict check(std::string_view path);

   private:
    const IgnoreRules* rules_;
    Directory here_;  // of the path before
  };

  // Only what is built in.
  IgnoreRules();

  // All rules of a spec and its ignore file, if there is one. Every malformed pattern is an error with its
  // field or file and line (rule 2.4); whoever has older rules keeps them then.
  static std::expected<IgnoreRules, std::vector<FieldError>> compile(const LiveUpdateSpec& spec,
                                                                     const std::optional<IgnoreFile>& file);
  // Without an ignore file; malformed patterns, which `validate` refuses, are left out.
  static IgnoreRules from_spec(const LiveUpdateSpec& spec);

  Verdict check(std::string_view path) const;
  Directory root() const;

 private:
  struct Labelled {
    Pattern pattern;
    std::string by;
  };
  using Matcher = std::vector<Labelled>;

  void add_spec(const LiveUpdateSpec& spec, std::vector<FieldError>& errors);
  void add_file(const IgnoreFile& file, std::vector<FieldError>& errors);
  void add_built_in();
  bool exempt(std::string_view path) const;
  bool exempt_below(std::string_view path) const;
  template <typename ProgressOf>
  Verdict decide(std::string_view path, ProgressOf progress_of) const;

  std::vector<Matcher> matchers_;
  std::vector<std::string> exempt_;  // literal fallBackOn paths, clean and sorted
};

}  // namespace live_update
