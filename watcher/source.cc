#include "watcher/source.h"

#include <algorithm>
#include <set>

#include "core/base/path.h"
#include "core/base/text.h"

namespace live_update {
namespace {

constexpr std::uint64_t kKeptContent = 64u
                                       << 20;  // of one batch; what is above is read again when it is sent

}  // namespace

Source::Source(std::string root, LoadedRules rules, KnownFiles known, Scanner::Warn warn)
    : filter_(std::move(rules.filter)),
      rules_digest_(std::move(rules.digest)),
      known_(std::move(known)),
      warn_(std::move(warn)),
      scanner_(std::move(root), filter_, known_, warn_) {}

Result<> Source::scan_all() {
  release_content();
  scanner_.keep_content(0);
  auto scanned = scanner_.scan("", tree_);
  release_content();
  return scanned;
}

void Source::release_content() {
  for (const std::string& path : scanner_.take_kept()) tree_.drop_content(path);
  scanner_.keep_content(kKeptContent);
}

Result<> Source::look(const DirtyPaths& dirty) {
  for (const std::string& directory : dirty.subtrees)
    if (auto scanned = scanner_.scan(directory, tree_); !scanned) return scanned;
  for (const std::string& path : dirty.paths)
    if (filter_.counts(path) || !is_utf8(path) || filter_.holds_back(path)) scanner_.look(path, tree_);
  return {};
}

std::vector<std::string> Source::take_held_back() {
  std::set<std::string> held;
  for (std::string& path : scanner_.take_held_back())
    if (mapped(path)) held.insert(std::move(path));
  return {held.begin(), held.end()};
}

std::vector<Change> Source::fill(const LiveUpdateSpec& spec, std::vector<Change> changes,
                                 const Tree& posted) {
  if (filter_.mapping().overlapping()) add_shadowed(spec, changes);
  std::vector<Change> filled;
  for (Change& change : changes) {
    const Entry* before = posted.find(change.path);
    const bool has_bytes = change.op == Op::Write && change.type == FileType::File;
    const bool same_bytes = before && before->type == FileType::File && before->digest == change.digest;
    const bool only_mode = same_bytes && before->mode != change.mode;
    if (!has_bytes || !mapped(change.path) || only_mode) {
      change.content = nullptr;
      filled.push_back(std::move(change));
    } else if (auto complete = with_content(std::move(change))) {
      filled.push_back(std::move(*complete));
    }
  }
  release_content();
  return filled;
}

std::vector<Change> Source::everything() { return fill({}, diff(Tree(), tree_), Tree()); }

// A delete may uncover another file for the same remote path: that is written in its place.
void Source::add_shadowed(const LiveUpdateSpec& spec, std::vector<Change>& changes) const {
  if (spec.steps.empty()) return;  // everything is in the batch
  const Plan decided = plan(spec, filter_.rules(), changes, tree_);
  const auto* update = std::get_if<Update>(&decided.decision);
  if (!update) return;
  std::set<std::string> there;
  for (const Change& change : changes) there.insert(change.path);
  for (const Copy& copy : update->copies)
    if (const Entry* entry = tree_.find(copy.from); entry && there.insert(copy.from).second)
      changes.push_back(change_to(copy.from, *entry));
}

std::optional<Change> Source::with_content(Change change) {
  if (change.content) return change;
  auto loaded = scanner_.load(change.path);
  if (loaded) {
    Change complete = change_to(change.path, *loaded);
    loaded->pieces.clear();
    tree_.write(change.path, std::move(*loaded));
    return complete;
  }
  const ErrorKind kind = loaded.error().kind;
  if (kind == ErrorKind::Io || kind == ErrorKind::TooLarge) warn_(change.path, loaded.error().message);
  return std::nullopt;
}

Result<std::vector<std::string>> Source::replace_rules(LoadedRules rules) {
  filter_ = std::move(rules.filter);
  rules_digest_ = std::move(rules.digest);
  tree_.keep_if([this](const std::string& path) { return filter_.counts(path); });
  const auto before = tree_.below("");
  if (auto scanned = scan_all(); !scanned) return std::unexpected(scanned.error());
  const auto after = tree_.below("");
  std::vector<std::string> appeared;
  std::ranges::set_difference(after, before, std::back_inserter(appeared));
  return appeared;
}

}  // namespace live_update
