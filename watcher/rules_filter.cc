#include "watcher/rules_filter.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>

#include "core/path.h"
#include "core/plan.h"
#include "run/content.h"

namespace live_update {
namespace {

constexpr const char* kDefaultIgnoreFile = ".dockerignore";

std::string clean(const std::string& path) { return path.empty() ? "." : path; }

// Nothing: it is not there.
std::expected<std::optional<IgnoreFile>, FieldError> read_ignore_file(const std::string& root,
                                                                      const std::string& name, bool named) {
  const std::string path = root + '/' + name;
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  if (file) text << file.rdbuf();
  if (file && !text.fail()) return IgnoreFile{name, text.str()};
  struct stat info{};
  const bool there = stat(path.c_str(), &info) == 0;
  if (there && S_ISREG(info.st_mode) && info.st_size == 0) return IgnoreFile{name, ""};
  if (!there && !named) return std::nullopt;
  const std::string why = !there                  ? std::strerror(ENOENT)
                          : S_ISDIR(info.st_mode) ? "it is a directory"
                                                  : "it cannot be read";
  return std::unexpected(FieldError{
      named ? "spec.source.ignoreFile" : name,
      name + " in " + root + ": " + why + "; create it, or name another in spec.source.ignoreFile"});
}

std::string rules_digest(const LiveUpdateSpec& spec, const std::optional<IgnoreFile>& file) {
  LiveUpdate relevant;
  relevant.spec.source = spec.source;
  relevant.spec.steps = spec.steps;
  return sha256(encode_live_update(relevant) + (file ? file->name + '\n' + file->text : ""));
}

}  // namespace

RulesFilter::RulesFilter(const LiveUpdateSpec& spec, IgnoreRules rules, std::string ignore_file)
    : rules_(std::move(rules)),
      mapping_(spec),
      context_(context_of(spec)),
      ignore_file_(std::move(ignore_file)) {}

bool RulesFilter::counts(const std::string& path) const {
  return in_context(clean(path), context_) && !rules_.check(clean(path)).ignored;
}

bool RulesFilter::enters(const std::string& directory) const {
  const std::string path = clean(directory);
  if (at_or_below(ignore_file_, path)) return true;
  const bool leads_in =
      in_context(path, context_) ||
      std::ranges::any_of(context_, [&](const std::string& c) { return strictly_below(c, path); });
  return leads_in && !rules_.check(path).whole;
}

bool RulesFilter::follows(const std::string& path) const { return !path.empty() && mapping_.follows(path); }

bool RulesFilter::wants_events(const std::string& path) const { return path == ignore_file_ || counts(path); }

std::expected<LoadedRules, std::vector<FieldError>> load_rules(const std::string& root,
                                                               const LiveUpdateSpec& spec) {
  auto errors = validate(spec);
  const bool named = !spec.source.ignore_file.empty();
  const std::string name = named ? clean_path(spec.source.ignore_file) : kDefaultIgnoreFile;
  auto file = read_ignore_file(root, name, named);
  if (!file) {
    errors.push_back(file.error());
    return std::unexpected(errors);
  }
  auto rules = IgnoreRules::compile(spec, *file);
  if (rules)
    for (FieldError& error : ignored_sources(spec, *rules))
      if (std::ranges::find(errors, error) == errors.end()) errors.push_back(std::move(error));
  if (!rules)
    for (FieldError& error : rules.error())
      if (std::ranges::find(errors, error) == errors.end()) errors.push_back(std::move(error));
  if (!errors.empty()) return std::unexpected(errors);
  return LoadedRules{RulesFilter(spec, std::move(*rules), name), rules_digest(spec, *file)};
}

}  // namespace live_update
