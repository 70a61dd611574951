// HostManifest: what the watcher remembers from one run to the next about one LiveUpdate and one root.
//
// With it a start reads only the files that changed and posts what happened in between (rule 7.2). It is a
// help, never the truth: one that is missing, damaged or of another object counts as absent, and then the
// files are read again. One of an older LiveUpdate of the same name tells what its containers may have been told
// (rule 5.8). On disk: ${XDG_STATE_HOME:-~/.local/state}/live-update/<hash of the key without uid>.manifest;
// the first line is the format and the SHA-256 of the rest, the rest one JSON object.
#pragma once

#include <optional>
#include <string>

#include "core/base/result.h"
#include "core/desired/tree.h"
#include "watcher/notes_file.h"
#include "watcher/pending_posts.h"
#include "watcher/scanner.h"

namespace live_update {

// What a manifest belongs to.
struct ManifestKey {
  std::string server, ns, name, uid;  // of the LiveUpdate; `server` is the API server's URL
  std::string root;                   // absolute
  bool operator==(const ManifestKey&) const = default;
};

struct HostManifest {
  std::string uid;            // of the LiveUpdate
  std::string session;        // that posted last
  std::int64_t sequence = 0;  // the newest that `posted` contains
  std::int64_t snapshot = 0;  // the newest Snapshot that was posted, or 0
  std::string rules;          // a digest of what decided which paths count
  Tree posted;                // what the API server was told, as Outbox has it
  // `posted` goes back, without a gap, to the disk that the image is taken to equal (rule 5.8): what it does not name is in
  // no image, but for what could not be looked at then.
  bool from_first = false;
  std::vector<UnknownPath> unseen;
  bool whole = true;  // false: of an older format, without deletes and what had ceased to count
  KnownFiles known;   // what need not be read again
  std::vector<PendingPost> pending;  // of `posted`, what the operator has not accepted yet
  std::vector<std::string> held;     // deletes that were asked about and not answered (rule 7.4)
  std::string head;                  // of git, as GitState::head
};

// ${XDG_STATE_HOME}/live-update, with the two variables given; empty if neither is.
std::string state_directory(const std::string& xdg_state_home, const std::string& home);

std::string manifest_text(const ManifestKey& key, const HostManifest& manifest);
// Invalid, with the reason: damaged, of another format or of another key; but for the uid.
Result<HostManifest> parse_manifest(const ManifestKey& key, std::string_view text);

class ManifestFile {
 public:
  // `notes` outlives it.
  ManifestFile(Notes& notes, const std::string& directory, ManifestKey key);

  // That of this LiveUpdate, else the newest of one of its name, which has another uid. Nothing: there is none.
  // Invalid: there is one that is of no use or cannot be read, and why.
  Result<std::optional<HostManifest>> load() const;
  // Atomic: a reader finds the old one or the new one. Makes the directory (0700). Io. `under_way`: what `add_new`
  // was told and the manifest does not have yet.
  Result<> store(const HostManifest& manifest, const std::vector<Change>& under_way = {});
  // These are about to be told, and were not part of what was stored: until it is stored the next time, they are
  // noted beside it, in `<hash of the key without uid>.new`: the ChangeSets that tell them may be gone by the next
  // start, by hand or with their LiveUpdate.
  void add_new(const std::vector<Change>& changes);
  const std::string& path() const { return path_; }

 private:
  Result<std::optional<HostManifest>> load(const std::string& path) const;
  void take_new(HostManifest& manifest) const;
  std::string new_line(const std::vector<Change>& changes) const;

  Notes& notes_;
  const ManifestKey key_;
  const std::string path_, old_path_, new_path_;
  bool has_new_ = true;  // as far as is known
};

}  // namespace live_update
