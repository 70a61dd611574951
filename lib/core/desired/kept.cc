#include "core/desired/kept.h"

#include <algorithm>

#include "core/api/limits.h"
#include "core/base/path.h"
#include "core/base/text.h"
#include "core/desired/checkpoint.h"

namespace live_update {
namespace {

constexpr std::size_t kLongestFlaw = 1000, kMostOwners = 4;
constexpr std::size_t kLongestPath = 4096, kLongestSession = 32;

// A LiveUpdate may be named; others that a ChangeSet belongs to are of no matter.
bool is_live_update(const ObjectMeta::OwnerReference& owner) { return owner.kind == "LiveUpdate"; }

std::size_t bytes_of(const ChangeSetSpec& spec) {
  std::size_t bytes = 0;
  for (const Change& it : spec.changes)
    bytes += sizeof(Change) + it.path.size() + it.target.size() + (it.content ? it.content->size() : 0);
  for (const UnknownPath& it : spec.unknown) bytes += sizeof(UnknownPath) + it.path.size();
  if (spec.ignores) bytes += spec.ignores->patterns.size();
  return bytes;
}

bool is_digest(const std::string& digest) {
  return digest.size() == 71 && digest.starts_with("sha256:") &&
         digest.find_first_not_of("0123456789abcdef", 7) == std::string::npos;
}

bool is_clean_host_path(const std::string& path) {
  return path != "." && clean_path(path) == path && host_path_errors(path).empty();
}

std::string not_clean(const std::string& path) {
  return "\"" + visible(path) +
         "\": is not a clean path below the root: remove '..', '.', empty components and a leading '/'";
}

std::string long_name(const std::string& path) {
  return "\"" + visible(path).substr(0, 100) +
         "...\": has a component of more than 255 bytes, which no file system takes: give it a shorter name";
}

std::string refusal_of(const Change& change) {
  const std::string where = "\"" + visible(change.path) + "\": ";
  if (!is_clean_host_path(change.path)) return not_clean(change.path);
  if (change.path.size() > kLongestPath || change.target.size() > kLongestPath)
    return where.substr(0, 100) + "...: a path or target has more than 4096 bytes, which no system takes";
  if (has_long_name(change.path)) return long_name(change.path);
  if (change.op == Op::Delete) return {};
  if (change.type == FileType::Symlink &&
      (change.target.empty() || change.target.find('\0') != std::string::npos))
    return where + "a symlink needs a target";
  if (change.type != FileType::File) return {};
  if (!is_digest(change.digest))
    return where + "digest must be sha256: and 64 hex digits, not \"" +
           visible(change.digest.substr(0, 100)) + "\"";
  if (change.size > kLargestFile)
    return where + "has more than 1 GiB, the most that a ChangeSet may announce";
  if (change.offset > change.size) return where + "offset lies behind the end of the file";
  return {};
}

// What becomes part of the ChangeSet's name, and is shown.
bool is_session(std::string_view text) {
  const auto allowed = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; };
  return !text.empty() && text.size() <= kLongestSession && text.front() != '-' && text.back() != '-' &&
         std::ranges::all_of(text, allowed);
}

}  // namespace

std::string refusal(const ChangeSetSpec& spec) {
  if (!is_session(spec.session))
    return "session must be 1 to 32 lower-case letters, digits and -, with no - at its ends";
  if (spec.checkpoint.has_value() != is_checkpoint_session(spec.session))
    return "a session that begins with checkpoint- and the field checkpoint belong together: both are the "
           "operator's";
  if (spec.sequence < 1) return "sequence must be 1 or more";
  if (spec.parts < 1 || spec.part < 1 || spec.part > spec.parts) return "part must be between 1 and parts";
  if (spec.part > spec.sequence)
    return "part " + std::to_string(spec.part) + " cannot have sequence " + std::to_string(spec.sequence);
  if (spec.changes.size() > kMostChanges) return "has more than 4096 changes: split them over parts";
  if (spec.unknown.size() > kMostChanges) return "has more than 4096 unknown paths: split them over parts";
  for (const Change& change : spec.changes)
    if (std::string why = refusal_of(change); !why.empty()) return why;
  for (const UnknownPath& it : spec.unknown)
    if (it.path != "." && !is_clean_host_path(it.path)) return not_clean(it.path);
  return {};
}

ObjectMeta kept(ObjectMeta it) {
  it.annotations.clear();
  it.labels.clear();
  std::erase_if(it.owners, [](const auto& owner) { return !is_live_update(owner); });
  if (it.owners.size() > kMostOwners) it.owners.resize(kMostOwners);
  return it;
}

ChangeSet kept(ChangeSet it) {
  it.meta = kept(std::move(it.meta));
  if (it.flaw.empty()) it.flaw = refusal(it.spec);
  if (!it.flaw.empty()) return without_content(std::move(it), it.flaw);
  it.bytes = bytes_of(it.spec);
  return it;
}

ChangeSet without_content(ChangeSet it, std::string flaw) {
  if (flaw.size() > kLongestFlaw) flaw.resize(kLongestFlaw);
  it.flaw = visible(flaw);
  it.spec.changes.clear();
  std::vector<UnknownPath>().swap(it.spec.unknown);
  it.spec.build.reset();
  it.spec.ignores.reset();
  it.bytes = 0;
  return it;
}

}  // namespace live_update
