// Which paths do not exist for a LiveUpdate, and why (rules 2.1 to 2.6, 2.8).
//
// Five matchers, each with its own "last pattern decides", ORed: spec.source.ignore, the ignore file, .git,
// editors' temporary files, and, on the host only, credentials. A literal fallBackOn path is exempt, from the
// last one a literal sync.from, too. Ask `check` for one changed path; ask a
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
    // in: **/.git", "credentials: **/.env". Lives as long as the rules; empty if not ignored.
    std::string_view by;
    // Only because it is a credential (rule 2.8): spec.source.credentials may let it out.
    bool held_back() const { return by.starts_with("credentials: "); }
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
    bool suspect_ = false;                                  // a component of path_ looks like a credential
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

  // All rules of a spec and its ignore file, if there is one, as they hold on the host. Every malformed
  // pattern is an error with its field or file and line (rule 2.4); whoever has older rules keeps them then.
  static std::expected<IgnoreRules, std::vector<FieldError>> compile(const LiveUpdateSpec& spec,
                                                                     const std::optional<IgnoreFile>& file);
  // What the operator can know of it: without an ignore file and without credentials, which never get there.
  // Malformed patterns, which `validate` refuses, are left out.
  static IgnoreRules from_spec(const LiveUpdateSpec& spec);

  Verdict check(std::string_view path) const;
  Directory root() const;
  // What a character of a path costs: the words of all patterns.
  std::size_t words() const;

 private:
  struct Labelled {
    Pattern pattern;
    std::string by;
    bool retracts = false;  // "!x" of spec.source.credentials: what is built in decides
  };
  using Matcher = std::vector<Labelled>;

  void add_spec(const LiveUpdateSpec& spec, std::vector<FieldError>& errors);
  void add_file(const IgnoreFile& file, std::vector<FieldError>& errors);
  void add_built_in();
  void add_credentials(const LiveUpdateSpec& spec, std::vector<FieldError>& errors);
  // `suspect`: a component of the path looks like a credential.
  template <typename ProgressOf>
  Verdict decide(std::string_view path, bool suspect, ProgressOf progress_of) const;

  std::vector<Matcher> matchers_;
  std::optional<std::size_t> credentials_;  // which of them
  std::vector<std::string> exempt_;         // literal fallBackOn paths, clean and sorted
  std::vector<std::string> named_;          // those and all sync.from, likewise
};

}  // namespace live_update
