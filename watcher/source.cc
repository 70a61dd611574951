#include "watcher/source.h"

#include <algorithm>
#include <set>

#include "core/api/limits.h"
#include "core/base/path.h"
#include "core/base/text.h"

namespace live_update {

Source::Source(const HostFiles& files, LoadedRules rules, KnownFiles known, Scanner::Warn warn,
               const Limits& limits)
    : files_(files),
      limits_(limits),
      filter_(std::move(rules.filter)),
      rules_digest_(std::move(rules.digest)),
      ignores_(std::move(rules.ignores)),
      known_(std::move(known)),
      scanner_(files, filter_, known_, std::move(warn), limits.file) {}

Result<> Source::scan_all() {
  release_content();
  scanner_.keep_content(0);
  auto scanned = scanner_.scan("", tree_);
  release_content();
  return scanned;
}

void Source::release_content() {
  for (const std::string& path : scanner_.take_kept()) tree_.drop_content(path);
  scanner_.keep_content(limits_.kept_content);
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

std::vector<Change> Source::fill(const LiveUpdateSpec& spec, std::vector<Change> changes, const Tree& posted,
                                 std::vector<std::string>& too_large) {
  Unknowns left_out;
  auto filled = fill(std::move(changes), posted, left_out);
  if (filter_.mapping().overlapping())
    std::ranges::move(fill(going_along(spec, filled), posted, left_out), std::back_inserter(filled));
  for (const UnknownPath& it : left_out.list())
    if (const Entry* entry = tree_.find(it.path); entry && entry->size > limits_.file)
      too_large.push_back(it.path);
  return filled;
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
Source::Everything Source::everything(const Tree& posted) {
  Everything all{.changes = diff(Tree(), tree_), .unknown = unknown()};
  std::erase_if(all.changes, [&](const Change& change) { return all.unknown.hides(change.path); });
  const auto known = std::ranges::stable_partition(all.changes, [&](const Change& change) {
    const Entry* before = posted.find(change.path);
    return !before || change.size > limits_.file || !before->same_state(*tree_.find(change.path));
  });
  std::vector<Change> same(std::make_move_iterator(known.begin()), std::make_move_iterator(known.end()));
  all.changes.erase(known.begin(), known.end());
  all.changes = fill(std::move(all.changes), Tree(), all.unknown);
  for (Change& change : same) change.content = nullptr;
  std::ranges::move(same, std::back_inserter(all.changes));
  std::ranges::sort(all.changes, {}, &Change::path);
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

std::vector<std::string> Source::lasting_unknown() const {
  std::vector<std::string> paths;
  for (const UnknownPath& it : scanner_.unknown().list())
    if (scanner_.untold(it.path == "." ? "" : it.path).empty()) paths.push_back(it.path);
  return paths;
}

// A delete may uncover another file for the same remote path: that is written in its place. What is saved may be
// covered by another file: that is named, too, as whoever delivers may never have heard of it.
// Only with what is really sent: else it would go each time that is tried.
std::vector<Change> Source::going_along(const LiveUpdateSpec& spec,
                                        const std::vector<Change>& changes) const {
  if (spec.steps.empty()) return {};  // everything is in the batch
  const Plan decided = plan(spec, filter_.rules(), changes, tree_);
  const auto* update = std::get_if<Update>(&decided.decision);
  if (!update) return {};
  std::set<std::string> copied;
  for (const Copy& copy : update->copies) copied.insert(copy.from);
  std::vector<Change> covered;  // as if they were gone
  for (const Change& it : changes)
    if (it.op == Op::Write && it.type != FileType::Directory && mapped(it.path) && !copied.contains(it.path))
      covered.push_back({.path = it.path, .op = Op::Delete, .type = it.type});
  const Plan without = plan(spec, filter_.rules(), covered, tree_);
  if (const auto* others = std::get_if<Update>(&without.decision))
    for (const Copy& copy : others->copies) copied.insert(copy.from);
  for (const Change& it : changes) copied.erase(it.path);
  std::vector<Change> along;
  for (const std::string& path : copied)
    if (const Entry* entry = tree_.find(path)) along.push_back(change_to(path, *entry));
  return along;
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
  ignores_ = std::move(rules.ignores);
  tree_.keep_if([this](const std::string& path) { return filter_.counts(path); });
  const auto before = tree_.below("");
  if (auto scanned = scan_all(); !scanned) return std::unexpected(scanned.error());
  const auto after = tree_.below("");
  std::vector<std::string> appeared;
  std::ranges::set_difference(after, before, std::back_inserter(appeared));
  return appeared;
}

}  // namespace live_update
