// Ceiling: how far a LiveUpdate may reach into this machine (rules 8.1, 8.2, 2.8). Either what its file says
// (-f), or the spec that somebody accepted here. The object in the cluster can narrow it, never widen it:
// others write that.
//
// The file is read again when the cluster's spec reaches further, as it may have been edited; one that is
// missing or malformed meanwhile leaves the last good one in force. Lives on the loop's thread, as long as
// the watcher.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/api/codec.h"
#include "core/rules/reach.h"
#include "watcher/accepted.h"

namespace live_update {

class Ceiling {
 public:
  using Say = std::function<void(const std::string&)>;

  // What was accepted here, if anything was.
  explicit Ceiling(AcceptedSpec accepted);
  // A file that was just read, and what it says. Whoever gives a file accepts it: it is remembered.
  Ceiling(AcceptedSpec accepted, std::string file, LiveUpdateSpec spec);

  // The bound that is in force; nothing: nothing was accepted yet. Its credentials are those that may leave.
  const std::optional<LiveUpdateSpec>& spec() const { return spec_; }
  // Where `spec` of the cluster reaches further; all of it where nothing was accepted yet. `say` hears, once,
  // that the file is of no use now.
  std::vector<FieldError> beyond(const LiveUpdateSpec& spec, const Say& say);
  // The user says yes. Io: it could not be written down.
  Result<> accept(const LiveUpdateSpec& spec);

  // Whether the file may say something else than when it was read.
  bool file_changed() const;

  bool has_file() const { return !file_.empty(); }
  // As people know it: "liveupdate.yaml", "stdin"; empty: none was given.
  std::string file() const { return file_ == "-" ? "stdin" : file_; }
  const AcceptedKey& key() const { return accepted_.key(); }

 private:
  std::vector<FieldError> compare(const LiveUpdateSpec& spec) const;
  bool read_again(const Say& say);

  const AcceptedSpec accepted_;
  const std::string file_;  // empty: none was given
  std::optional<LiveUpdateSpec> spec_;
  std::vector<std::string> credentials_;  // that the file lets out now; those of spec_ were accepted
  std::vector<std::string> tolerated_;    // that the cluster's spec lets out in vain, as the user knows
  std::string looked_at_;                 // the file's state when it was last read
  bool said_useless_ = false;
};

}  // namespace live_update
