#include "watcher/source.h"

#include <algorithm>
#include <set>

#include "core/api/limits.h"
#include "core/base/path.h"
#include "core/base/text.h"

namespace live_update {
namespace {

constexpr std::uint64_t kKeptContent = 64u
                                       << 20;  // of one batch; what is above is read again when it is sent

}  // namespace

Source::Source(const HostFiles& files, LoadedRules rules, KnownFiles known, Scanner::Warn warn)
    : files_(files),
      filter_(std::move(rules.filter)),
      rules_digest_(std::move(rules.digest)),
      known_(std::move(known)),
      scanner_(files, filter_, known_, std::move(warn)) {}

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

// One that leads to nothing, or out of the root, is not followed by what the scanner finds, and changes no rules.
bool Source::links_moved() const {
  const FollowedLinks now = followed_links(filter_.mapping(), files_);
  const auto same = [&](const auto& link) {
    const auto before = filter_.links().find(link.first);
    return before != filter_.links().end() && before->second == link.second;
  };
  const auto is_link = [&](const auto& link) {
    const FileKind kind = files_.look(link.first);
    return kind != FileKind::File && kind != FileKind::Directory;
  };
  return !std::ranges::all_of(now, same) || !std::ranges::all_of(filter_.links(), is_link);
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
  Unknowns left_out;
  return fill(std::move(changes), posted, left_out);
}

std::vector<Change> Source::fill(std::vector<Change> changes, const Tree& posted, Unknowns& left_out) {
  std::vector<Change> filled;
  for (Change& change : changes) {
    const Entry* before = posted.find(change.path);
    const bool has_bytes = change.op == Op::Write && change.type == FileType::File;
    const bool same_bytes =
        before && !before->doubted && before->type == FileType::File && before->digest == change.digest;
    const bool only_mode = same_bytes && before->mode != change.mode;
    if (has_bytes && change.size > kLargestFile) {  // no ChangeSet may name it
      left_out.add(change.path);
    } else if (!has_bytes || !mapped(change.path) || only_mode) {
      change.content = nullptr;
      filled.push_back(std::move(change));
    } else if (auto complete = with_content(change)) {
      filled.push_back(std::move(*complete));
    } else {
      left_out.add(change.path);
    }
  }
  release_content();
  return filled;
}

// What was there before it became unknown may be so no more: it is named as unknown only. A file that goes
// while it is read is unknown as well: an event, or the next Snapshot, tells.
Source::Everything Source::everything() {
  Everything all{.changes = diff(Tree(), tree_), .unknown = unknown()};
  std::erase_if(all.changes, [&](const Change& change) { return all.unknown.hides(change.path); });
  all.changes = fill(std::move(all.changes), Tree(), all.unknown);
  return all;
}

bool Source::concerns_sync(const std::string& path) const {
  return mapped(path) || filter_.follows(path) ||
         std::ranges::any_of(filter_.mapping().routes(), [&](const Route& route) {
           return path.empty() || strictly_below(route.from, path);
         });
}

std::vector<std::pair<std::string, std::string>> Source::missing(const Unknowns& unknown) const {
  std::vector<std::pair<std::string, std::string>> missing;
  for (const UnknownPath& it : unknown.list()) {
    const std::string path = it.path == "." ? "" : it.path;
    if (concerns_sync(path)) missing.emplace_back(it.path, scanner_.untold(path));
  }
  return missing;
}

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
  scanner_.cannot_load(change.path, loaded.error());
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
