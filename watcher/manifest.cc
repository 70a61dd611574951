#include "watcher/manifest.h"

#include <spdlog/fmt/fmt.h>

#include <sstream>
#include <utility>

#include "core/api/enums.h"
#include "core/base/json.h"
#include "watcher/notes_file.h"

namespace live_update {
namespace {

constexpr std::string_view kFormat = "live-update manifest 1 ";

void write_entry(JsonWriter& json, const std::string& path, const Entry& entry) {
  json.object([&] {
    json.field("path", path);
    json.field("type", entry.type);
    json.field("mode", entry.mode);
    json.field("size", entry.size);
    json.field_if("mtime", entry.mtime);
    json.field_if("digest", entry.digest);
    json.field_if("target", entry.target);
    json.field_unless("doubted", entry.doubted, false);
  });
}

void write_gone(JsonWriter& json, const std::string& path, const Entry& entry) {
  json.object([&] {
    json.field("path", path);
    json.field_unless("type", entry.type, FileType::File);
    json.field_unless("doubted", entry.doubted, false);
  });
}

void write_known(JsonWriter& json, const std::string& path, const KnownFile& file) {
  json.object([&] {
    json.field("path", path);
    json.field("device", static_cast<std::int64_t>(file.print.device));
    json.field("inode", static_cast<std::int64_t>(file.print.inode));
    json.field("size", file.print.size);
    json.field("modified", file.print.modified_ns);
    json.field("changed", file.print.changed_ns);
    json.field("digest", file.digest);
    json.field_unless("racy", file.racy, false);
  });
}

void write_pending(JsonWriter& json, const PendingPost& post) {
  json.object([&] {
    json.field("names", post.names);
    json.field("sequence", post.sequence);
    json.field_unless("snapshot", post.snapshot, false);
    json.field_unless("digests", post.digests, false);
    json.list("changes", post.changes, [&](const Change& change) {
      json.object([&] {
        json.field("path", change.path);
        json.field("op", change.op);
        json.field("type", change.type);
      });
    });
  });
}

PendingPost read_pending(ObjectReader& reader) {
  PendingPost post;
  reader.read("names", post.names);
  reader.read("sequence", post.sequence);
  reader.read("snapshot", post.snapshot);
  reader.read("digests", post.digests);
  reader.read_list("changes", [&](ObjectReader& change, int) {
    Change& to = post.changes.emplace_back();
    change.read("path", to.path);
    change.read("op", to.op);
    change.read("type", to.type);
  });
  return post;
}

void write_key(JsonWriter& json, const ManifestKey& key) {
  json.object("key", [&] {
    json.field("server", key.server);
    json.field("namespace", key.ns);
    json.field("name", key.name);
    json.field("uid", key.uid);
    json.field("root", key.root);
  });
}

ManifestKey read_key(ObjectReader reader) {
  ManifestKey key;
  reader.read("server", key.server);
  reader.read("namespace", key.ns);
  reader.read("name", key.name);
  reader.read("uid", key.uid);
  reader.read("root", key.root);
  return key;
}

void read_entry(ObjectReader& reader, Tree& posted) {
  std::string path;
  Entry entry;
  reader.read("path", path);
  reader.read("type", entry.type);
  reader.read("mode", entry.mode);
  reader.read("size", entry.size);
  reader.read("mtime", entry.mtime);
  reader.read("digest", entry.digest);
  reader.read("target", entry.target);
  reader.read("doubted", entry.doubted);
  posted.write(path, std::move(entry));
}

// Beside what is there; neither makes the other one go.
void read_gone(ObjectReader& reader, Tree& gone) {
  std::string path;
  FileType type = FileType::File;
  bool doubted = false;
  reader.read("path", path);
  reader.read("type", type);
  reader.read("doubted", doubted);
  gone.remove(path, type);
  if (doubted) gone.suspect(path, type);
}

// All 64 bits of an inode number: JSON readers stop at 63.
std::uint64_t read_bits(ObjectReader& reader, std::string_view name) {
  std::int64_t bits = 0;
  reader.read(name, bits);
  return static_cast<std::uint64_t>(bits);
}

void read_known(ObjectReader& reader, KnownFiles& known) {
  std::string path;
  KnownFile file;
  reader.read("path", path);
  file.print.device = read_bits(reader, "device");
  file.print.inode = read_bits(reader, "inode");
  reader.read("size", file.print.size);
  reader.read("modified", file.print.modified_ns);
  reader.read("changed", file.print.changed_ns);
  reader.read("digest", file.digest);
  reader.read("racy", file.racy);
  known.emplace_hint(known.end(), std::move(path), std::move(file));
}

}  // namespace

std::string state_directory(const std::string& xdg_state_home, const std::string& home) {
  if (xdg_state_home.starts_with('/')) return xdg_state_home + "/live-update";
  return home.empty() ? "" : home + "/.local/state/live-update";
}

std::string manifest_text(const ManifestKey& key, const HostManifest& manifest) {
  std::vector<const Tree::Map::value_type*> gone;
  for (const auto& item : manifest.posted.entries())
    if (item.second.deleted) gone.push_back(&item);
  JsonWriter json;
  json.object([&] {
    write_key(json, key);
    json.field("session", manifest.session);
    json.field("sequence", manifest.sequence);
    json.field("snapshot", manifest.snapshot);
    json.field("rules", manifest.rules);
    json.field_unless("fromFirst", manifest.from_first, false);
    if (!manifest.unseen.empty())
      json.list("unseen", manifest.unseen, [&](const UnknownPath& it) {
        json.object([&] {
          json.field("path", it.path);
          json.field_unless("below", it.below, false);
        });
      });
    json.list("posted", manifest.posted.below(""),
              [&](const std::string& path) { write_entry(json, path, *manifest.posted.find(path)); });
    json.list("gone", gone, [&](const auto* item) { write_gone(json, item->first, item->second); });
    if (!manifest.pending.empty())
      json.list("pending", manifest.pending, [&](const PendingPost& post) { write_pending(json, post); });
    json.field_if("held", manifest.held);
    json.field_if("head", manifest.head);
    json.list("known", manifest.known, [&](const auto& item) { write_known(json, item.first, item.second); });
  });
  return seal_notes(kFormat, json.take());
}

Result<HostManifest> parse_manifest(const ManifestKey& key, std::string_view text) {
  const auto body = open_notes(kFormat, text);
  if (!body) return std::unexpected(body.error());
  auto document = parse_json(*body);
  if (!document) return std::unexpected(document.error());
  FieldErrors errors;
  ObjectReader reader(&*document, {}, errors);
  ManifestKey written = read_key(reader.object("key"));
  HostManifest manifest;
  manifest.uid = std::exchange(written.uid, key.uid);
  if (written != key) return fail(ErrorKind::Invalid, "it belongs to another LiveUpdate or root");
  reader.read("session", manifest.session);
  reader.read("sequence", manifest.sequence);
  reader.read("snapshot", manifest.snapshot);
  reader.read("rules", manifest.rules);
  reader.read("fromFirst", manifest.from_first);
  reader.read_list("unseen", [&](ObjectReader& it, int) {
    UnknownPath& to = manifest.unseen.emplace_back();
    it.read("path", to.path);
    it.read("below", to.below);
  });
  reader.read_list("posted", [&](ObjectReader& entry, int) { read_entry(entry, manifest.posted); });
  manifest.whole = document->IsObject() && document->HasMember("gone");
  Tree gone;
  reader.read_list("gone", [&](ObjectReader& entry, int) { read_gone(entry, gone); });
  manifest.posted.take_from(gone, "");
  reader.read_list("pending",
                   [&](ObjectReader& post, int) { manifest.pending.push_back(read_pending(post)); });
  reader.read("held", manifest.held);
  reader.read("head", manifest.head);
  reader.read_list("known", [&](ObjectReader& entry, int) { read_known(entry, manifest.known); });
  if (!errors.list.empty())
    return fail(ErrorKind::Invalid, fmt::format("{}: {}", errors.list[0].field, errors.list[0].message));
  return manifest;
}

ManifestFile::ManifestFile(Notes& notes, const std::string& directory, ManifestKey key)
    : notes_(notes),
      key_(std::move(key)),
      path_(notes_path(directory, fmt::format("{}\n{}\n{}\n{}", key_.server, key_.ns, key_.name, key_.root),
                       "manifest")),
      old_path_(notes_path(
          directory, fmt::format("{}\n{}\n{}\n{}", key_.server, key_.ns, key_.uid, key_.root), "manifest")),
      new_path_(path_.substr(0, path_.rfind('.')) + ".new") {}

// Older watchers had a file for each uid.
Result<std::optional<HostManifest>> ManifestFile::load() const {
  auto newest = load(path_);
  if (!newest) return newest;
  const bool own = *newest && (*newest)->uid == key_.uid;
  if (!own)
    if (auto old = load(old_path_); !old || *old) return old;
  if (*newest) take_new(**newest);
  return newest;
}

std::string ManifestFile::new_line(const std::vector<Change>& changes) const {
  if (changes.empty()) return {};
  JsonWriter json;
  json.object([&] {
    json.field("uid", key_.uid);
    json.list("new", changes, [&](const Change& it) { write_gone(json, it.path, {.type = it.type}); });
  });
  return '\n' + json.take() + '\n';  // on a line of its own, whatever stands before it
}

// What is wrong with the disk `store` says.
void ManifestFile::add_new(const std::vector<Change>& changes) {
  if (changes.empty()) return;
  has_new_ = true;
  (void)notes_.append(new_path_, new_line(changes));
}

// In doubt: it may have come nowhere. A line that was not written to its end counts for nothing.
void ManifestFile::take_new(HostManifest& manifest) const {
  const auto text = notes_.read(new_path_);
  if (!text || !*text) return;
  std::istringstream lines(**text);
  for (std::string line; std::getline(lines, line);) {
    const auto document = parse_json(line);
    if (!document) continue;
    FieldErrors errors;
    ObjectReader reader(&*document, {}, errors);
    std::string uid;
    reader.read("uid", uid);
    if (uid != manifest.uid) continue;
    reader.read_list("new", [&](ObjectReader& change, int) {
      std::string path;
      Entry entry{.doubted = true};
      change.read("path", path);
      change.read("type", entry.type);
      Tree one;
      one.write(path, std::move(entry));
      manifest.posted.take_from(one, "");
    });
  }
}

Result<std::optional<HostManifest>> ManifestFile::load(const std::string& path) const {
  const auto text = notes_.read(path);
  if (!text)
    return fail(
        ErrorKind::Invalid,
        fmt::format("the notes of the last run in {} cannot be read ({}): what changed since then is not "
                    "known, and all files are read again; `live-update push` sends them all",
                    path, text.error().message));
  if (!*text) return std::nullopt;
  auto manifest = parse_manifest(key_, **text);
  if (manifest) return std::move(*manifest);
  return fail(ErrorKind::Invalid,
              fmt::format("the notes of the last run in {} are not used, {}: all files are read again", path,
                          manifest.error().message));
}

Result<> ManifestFile::store(const HostManifest& manifest, const std::vector<Change>& under_way) {
  const auto stored = notes_.replace(path_, manifest_text(key_, manifest));
  if (stored && std::exchange(has_new_, !under_way.empty()))
    if (const auto there = notes_.read(new_path_); there && *there)
      (void)notes_.replace(new_path_, new_line(under_way));
  if (stored) return {};
  return fail(
      ErrorKind::Io,
      fmt::format("the notes for the next start cannot be written to {} ({}): a restart will read all files "
                  "again; make the directory writable or set XDG_STATE_HOME",
                  path_, stored.error().message));
}

}  // namespace live_update
