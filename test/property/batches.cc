#include "test/property/batches.h"

#include <algorithm>
#include <map>

#include "core/base/path.h"
#include "core/rules/credentials.h"
#include "test/fakes/decode_content.h"

namespace live_update::property {
namespace {

constexpr std::size_t kLargest = 1 << 20;

std::vector<UnknownPath> draw_unknown(const Disk& disk, Dice& dice) {
  std::vector<UnknownPath> unknown;
  if (disk.nodes().empty() || !dice.one_in(2)) return unknown;
  for (std::size_t left = 1 + dice.below(2); left > 0; --left) {
    const auto at =
        std::next(disk.nodes().begin(), static_cast<std::ptrdiff_t>(dice.below(disk.nodes().size())));
    if (std::ranges::find(unknown, at->first, &UnknownPath::path) == unknown.end())
      unknown.push_back({at->first, at->second.type == FileType::Directory});
  }
  return unknown;
}

}  // namespace

ChangeSetSpec delta_of(std::vector<Change> changes) {
  return {.live_update = "web", .session = "7f3a", .sequence = 1, .changes = std::move(changes)};
}

ChangeSetSpec whole_snapshot_of(const Disk& disk) {
  ChangeSetSpec snapshot = delta_of(disk.tree().changes());
  snapshot.type = ChangeSetType::Snapshot;
  return snapshot;
}

ChangeSetSpec snapshot_of(const Disk& disk, Dice& dice) {
  ChangeSetSpec snapshot = whole_snapshot_of(disk);
  snapshot.unknown = draw_unknown(disk, dice);
  const Unknowns unknown(snapshot.unknown);
  std::erase_if(snapshot.changes.edit(),
                [&](const Change& it) { return unknown.hides(it.path) || is_credential(it.path); });
  return snapshot;
}

ChangeSetSpec any_batch(Disk disk, const FewEdits& edits, Dice& dice) {
  const Tree before = disk.tree();
  disk.edit(edits);
  if (dice.one_in(4)) return snapshot_of(disk, dice);
  ChangeSetSpec batch = delta_of(sent(before, disk.tree()));
  if (dice.one_in(12)) batch.type = ChangeSetType::Build;
  return batch;
}

std::vector<const ChangeSetSpec*> pointers_to(const std::vector<ChangeSetSpec>& parts) {
  std::vector<const ChangeSetSpec*> out;
  for (const ChangeSetSpec& it : parts) out.push_back(&it);
  return out;
}

bool are_parts_of(const ChangeSetSpec& batch, const std::vector<ChangeSetSpec>& parts) {
  std::vector<std::string> named;
  std::vector<UnknownPath> unknown;
  std::map<std::string, std::string> bytes;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const ChangeSetSpec& part = parts[i];
    if (part.part != static_cast<int>(i + 1) || part.parts != static_cast<int>(parts.size()) ||
        part.sequence != batch.sequence + static_cast<int>(i) || part.type != batch.type)
      return false;
    unknown.insert(unknown.end(), part.unknown.begin(), part.unknown.end());
    for (const Change& it : part.changes) {
      if (named.empty() || named.back() != it.path) named.push_back(it.path);
      if (!it.content) continue;
      if (it.offset != bytes[it.path].size()) return false;
      const auto piece = decode_content(it.encoding, *it.content, kLargest);
      if (!piece) return false;
      bytes[it.path] += *piece;
    }
  }
  const auto is_whole = [&](const Change& it) { return !it.content || bytes[it.path] == *it.content; };
  return unknown == batch.unknown && std::ranges::equal(named, batch.changes, {}, {}, &Change::path) &&
         std::ranges::all_of(batch.changes, is_whole);
}

std::string joined_bytes(const Entry& entry) {
  std::string bytes;
  for (const Piece& it : entry.pieces) {
    const auto piece = decode_content(it.encoding, *it.content, kLargest);
    if (!piece || it.offset != bytes.size()) return "no bytes of this file";
    bytes += *piece;
  }
  return bytes;
}

std::string text_of(const ChangeSetSpec& batch) {
  constexpr const char* kTypes[] = {"Delta", "Snapshot", "Build"};
  std::string text = kTypes[static_cast<int>(batch.type)];
  if (batch.parts > 1) text += " " + std::to_string(batch.part) + "/" + std::to_string(batch.parts);
  text += " {" + text_of(batch.changes.all()) + "}";
  for (const UnknownPath& it : batch.unknown) text += " unknown " + it.path + (it.below ? "/" : "");
  return text;
}

}  // namespace live_update::property
