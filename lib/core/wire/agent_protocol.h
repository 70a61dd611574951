// The wire between the operator and live-update-agent (docs/agent-protocol.md): frames over the agent's stdin
// and stdout. Pure, shared by both ends, and built into the agent: the C++ library only, nothing throws.
//
// Each direction begins with kMagic and a Hello. What comes before the magic on the agent's stdout was
// printed by the container (a shell profile): it is skipped and reported. Every frame has a number and a
// checksum: one that is damaged, lost, repeated, reordered or oversized is an Error of kind Invalid, after
// which the session has to end.
//
// Made for pipelining: Begin, File, Data, Commit and the runs behind them go out in one write; the agent
// answers each request (Begin with all up to its Commit, Run, Restart, Have, List) exactly once, with the
// request's number.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/base/result.h"

namespace live_update::agent {

inline constexpr std::string_view kMagic{"\x89live-update\r\n\x1a\n", 16};
inline constexpr std::uint16_t kVersion = 1, kOldestVersion = 1;

// What the agent can do beyond version 1's minimum. Unknown bits are ignored. Bits 1, 2 and 4 were asked for
// by nobody, and are not used again.
enum Feature : std::uint64_t {
  kFeatureChanged = 8,  // Changed
  kFeatureRecord = 16,  // Subject
  kFeatureList = 32,    // List
};

// Types of frames that the operator never sent: an agent refuses them as it does any type that it does not
// know. No other message gets these numbers: Copy, Abort, Kill, Ping, and Ping's answer Pong.
inline constexpr std::array<std::uint8_t, 5> kReservedTypes = {5, 10, 13, 16, 73};

// Bounds. A frame above them is refused before memory is taken for it.
inline constexpr std::size_t kHeaderSize = 16;
inline constexpr std::size_t kMaxPayload = 1 << 20;
inline constexpr std::size_t kMaxPath = 4096;
inline constexpr std::size_t kMaxRoots = 1024;
inline constexpr std::size_t kMaxEntries = 1 << 20;  // in one batch
inline constexpr std::size_t kMaxNoise = 64 << 10;   // before the magic
// How much may be sent behind a Run or Restart that is not answered yet; Credit, Have and List do not count.
inline constexpr std::size_t kMaxAhead = 1 << 20;

// How `serve` ends, but for 0: its input ended, or a signal asked for it. The reason is in a Failed for the
// request 0, if the operator reads it in time.
inline constexpr int kExitNonsense = 1;   // the frames made no sense
inline constexpr int kExitNoVersion = 3;  // no version in common
inline constexpr int kExitTakenOver = 4;  // another session has this container

using Digest = std::array<std::uint8_t, 32>;  // SHA-256
// "sha256:" and 64 hexadecimal digits, and back; nothing for any other text.
std::string digest_text(const Digest& digest);
std::optional<Digest> digest_from(std::string_view text);
// Below which name the agent of this digest lies in a container: used again where it is, never mistaken.
std::string program_file_name(const Digest& digest);

struct Mtime {
  std::int64_t seconds = 0;
  std::uint32_t nanoseconds = 0;
  bool operator==(const Mtime&) const = default;
};

// --- both directions
struct Hello {
  static constexpr std::uint8_t kType = 1;
  std::uint16_t oldest = kOldestVersion, newest = kVersion;
  std::uint64_t features = 0;
  std::string program;  // "live-update-agent 0.1.0"
  // Of the agent only.
  std::string machine;  // as uname -m says
  std::uint32_t uid = 0, gid = 0, pid = 0;
  Digest digest{};  // of the agent's own file; zero if it cannot read it
  bool operator==(const Hello&) const = default;
};

// --- operator to agent

// Whether a request of a chain is carried out. The agent keeps one mark, `failed`, which a failed batch, run
// or restart sets; requests are carried out in the order in which they came.
struct Gate {
  bool fresh = false;       // forget the mark first
  bool if_ok = false;       // with the mark set: do nothing, answer Skipped
  bool keep_going = false;  // a failure of this request does not set the mark (onFailure: Continue)
  bool operator==(const Gate&) const = default;
};

// Opens a batch. What follows up to Commit is staged, invisible. Paths below are relative to one of the
// roots, which are absolute; an empty path is the root itself (a sync of a single file).
struct Begin {
  static constexpr std::uint8_t kType = 2;
  std::uint32_t request = 0;
  Gate gate;
  std::int64_t sequence = 0;
  std::vector<std::string> roots;
  bool operator==(const Begin&) const = default;
};
enum class Content : std::uint8_t {
  Sent,  // Data frames follow, the last one marked; none if size is 0
  Kept,  // nothing follows: what is there has this digest, only the mode changes (rule 2.7)
};
struct File {
  static constexpr std::uint8_t kType = 3;
  std::uint16_t root = 0;
  std::string path;
  std::uint16_t mode = 0644;
  std::optional<Mtime> mtime;  // the host's; what changes gets the time at which it does (rule 4.4)
  std::uint64_t size = 0;
  Digest digest{};  // of the whole content
  Content content = Content::Sent;
  bool operator==(const File&) const = default;
};
enum class Coding : std::uint8_t { Identity, Zstd };
// Content of the File before. Zstd: any cut of one or more whole zstd frames; they end before another coding.
struct Data {
  static constexpr std::uint8_t kType = 4;
  Coding coding = Coding::Identity;
  std::string_view bytes;  // points into what was decoded
  bool last = false;
  bool operator==(const Data&) const = default;
};
struct Symlink {
  static constexpr std::uint8_t kType = 6;
  std::uint16_t root = 0;
  std::string path, target;
  std::optional<Mtime> mtime;
  bool operator==(const Symlink&) const = default;
};
// Makes it with this mode; one that is there stays as it is.
struct Directory {
  static constexpr std::uint8_t kType = 7;
  std::uint16_t root = 0;
  std::string path;
  std::uint16_t mode = 0755;
  bool operator==(const Directory&) const = default;
};
enum class DeleteHow : std::uint8_t {
  // What it was on the host; what is there decides: a file or symlink goes, a directory if nothing is left in
  // it (rule 4.5).
  File,     // with a Warning where a directory stays
  Tracked,  // a directory
};
struct Delete {
  static constexpr std::uint8_t kType = 8;
  std::uint16_t root = 0;
  std::string path;
  DeleteHow how = DeleteHow::File;
  bool operator==(const Delete&) const = default;
};
// Makes the open batch visible. Answer to its Begin: Confirmed, or Failed and nothing is visible. What cannot
// be deleted stays, with a Warning, and fails nothing.
struct Commit {
  static constexpr std::uint8_t kType = 9;
  std::int64_t sequence = 0;
  bool operator==(const Commit&) const = default;
};
// A command in its own session and process group. Answers: RunOutput as often as it prints, then RunExit; or
// Failed if it cannot be started.
struct Run {
  static constexpr std::uint8_t kType = 11;
  std::uint32_t request = 0;
  Gate gate;
  std::vector<std::string> argv;                         // argv[0] is looked up in PATH
  std::string cwd;                                       // empty: where the agent runs, the container's own
  std::vector<std::string> env;                          // "NAME=value", over the container's own
  std::uint32_t timeout_ms = 600'000, grace_ms = 5'000;  // TERM to the group, then after the grace KILL
  std::uint32_t credit = 256 << 10;                      // bytes of output before Credit has to come
  bool operator==(const Run&) const = default;
};
struct Credit {
  static constexpr std::uint8_t kType = 12;
  std::uint32_t request = 0, bytes = 0;
  bool operator==(const Credit&) const = default;
};
enum class RestartHow : std::uint8_t { Process, Signal, Container };
// Answer: Restarted or Failed; of Container that works there is none, as the agent dies with it.
struct Restart {
  static constexpr std::uint8_t kType = 14;
  std::uint32_t request = 0;
  Gate gate;
  RestartHow how = RestartHow::Process;
  std::uint8_t signal = 15;
  std::uint32_t pid = 0;  // 0: the container's main process
  std::uint32_t grace_ms = 10'000, alive_ms = 1'000;
  bool operator==(const Restart&) const = default;
};
// What is there? In parallel to everything else. Answers: HaveResult, the last one marked.
inline constexpr std::uint64_t kAnySize = ~std::uint64_t{0};
struct Wanted {
  std::string path;               // relative to `root`
  std::uint64_t size = kAnySize;  // a file of another size is reported without digest
  bool operator==(const Wanted&) const = default;
};
struct Have {
  static constexpr std::uint8_t kType = 15;
  std::uint32_t request = 0;
  std::string root;
  bool below = false;  // also everything below each path
  std::vector<Wanted> paths;
  bool operator==(const Have&) const = default;
};
// What is in these folders, by name and kind (rule 4.5)? In parallel to everything else. No symlink is followed below
// the root, and a folder that is not on the root's own mount is not listed. Answers: Listing, the last one marked.
struct List {
  static constexpr std::uint8_t kType = 19;
  std::uint32_t request = 0;
  std::string root;
  std::uint32_t most = 0;            // entries; of what is beyond that the folder counts as not listed
  std::vector<std::string> folders;  // relative to `root`, "": itself
  bool operator==(const List&) const = default;
};
// The paths of which the Runs behind it are told by a file (kChangedFile), a line each: of several in a row,
// all; behind a Run, a new list. No answer; where there can be no file, the next Run has a Warning.
struct Changed {
  static constexpr std::uint8_t kType = 17;
  bool forget = false;             // there are none any more, and the file goes
  std::vector<std::string> paths;  // without control characters
  bool operator==(const Changed&) const = default;
};
inline constexpr std::string_view kChangedFile = "LIVE_UPDATE_CHANGED_FILE";
// Whose the batches behind it are, up to the next one. The agent keeps for each LiveUpdate the newest sequence that it
// confirmed in this container, and refuses a batch of an older one (Outdated), whoever sends it: an operator that
// lags behind another one must not undo what that did. No answer.
struct Subject {
  static constexpr std::uint8_t kType = 18;
  std::string container;    // its ID, as the API server names it; a file may outlive the container
  std::string live_update;  // its UID
  bool operator==(const Subject&) const = default;
};
inline constexpr std::size_t kMaxIdentity = 256;  // of either

using Request = std::variant<Hello, Begin, File, Data, Symlink, Directory, Delete, Commit, Run, Credit,
                             Restart, Have, Changed, Subject, List>;

// --- agent to operator
struct Confirmed {
  static constexpr std::uint8_t kType = 65;
  std::uint32_t request = 0;
  std::int64_t sequence = 0;
  std::uint32_t changed = 0;       // paths switched or deleted
  std::uint32_t microseconds = 0;  // from Begin until all was visible
  bool operator==(const Confirmed&) const = default;
};
enum class Code : std::uint8_t {
  Protocol,        // the frames make no sense; the session ends
  Version,         // no common version; the session ends
  BadRequest = 3,  // a path or argument breaks a rule (2 answered an Abort, and is not used again)
  Escapes,         // the path leads through a symlink (rule 4.3)
  Digest,          // the content does not have the promised digest or size
  Missing,         // what a kept content, a run or a restart needs is not there
  NoSpace,         // ENOSPC, EDQUOT
  ReadOnly,        // EROFS
  Permission,      // EACCES, EPERM
  Io,              // any other errno
  NotRestarted,    // the process or container was not restarted, or the new process died
  TakenOver,       // another session has this container (agent/fence.h); the session ends
  Outdated,        // the container has a newer state of the same LiveUpdate (Subject)
};
// The request failed; request 0: the session. `reason` says what, on which object and why; `remedy` what to
// do.
struct Failed {
  static constexpr std::uint8_t kType = 66;
  std::uint32_t request = 0;
  Code code = Code::Io;
  std::int32_t error = 0;  // errno, 0 if there is none
  std::string path;        // absolute; empty if it is about none
  std::string reason, remedy;
  bool operator==(const Failed&) const = default;
};
struct Skipped {
  static constexpr std::uint8_t kType = 67;
  std::uint32_t request = 0;
  bool operator==(const Skipped&) const = default;
};
enum class Stream : std::uint8_t { Out, Err };
struct RunOutput {
  static constexpr std::uint8_t kType = 68;
  std::uint32_t request = 0;
  Stream stream = Stream::Out;
  std::string_view bytes;  // points into what was decoded
  bool operator==(const RunOutput&) const = default;
};
enum class RunHow : std::uint8_t { Exited, Signalled, TimedOut };
struct RunExit {
  static constexpr std::uint8_t kType = 69;
  std::uint32_t request = 0;
  RunHow how = RunHow::Exited;
  std::int32_t code = 0;  // exit code, or the signal that ended it; -1 if it had to be left behind
  std::uint32_t milliseconds = 0;
  bool operator==(const RunExit&) const = default;
};
struct Restarted {
  static constexpr std::uint8_t kType = 70;
  std::uint32_t request = 0;
  std::uint32_t pid = 0;  // of the new process; 0 with Signal
  bool operator==(const Restarted&) const = default;
};
enum class Kind : std::uint8_t { Missing, File, Directory, Symlink, Other, Unreadable };
struct HaveEntry {
  std::string path;  // relative to the root of the request
  Kind kind = Kind::Missing;
  std::uint16_t mode = 0;
  std::uint64_t size = 0;
  Mtime mtime;
  std::optional<Digest> digest;  // of a file
  std::string target;            // of a symlink
  bool operator==(const HaveEntry&) const = default;
};
struct HaveResult {
  static constexpr std::uint8_t kType = 71;
  std::uint32_t request = 0;
  std::vector<HaveEntry> entries;
  bool last = false;
  bool operator==(const HaveResult&) const = default;
};
enum class Listed : std::uint8_t {
  File,
  Directory,
  Symlink,
  Other,       // a socket, pipe or device
  Mount,       // whatever it is, something is mounted there
  Unreadable,  // of the folder itself, which has no name then: it cannot be listed, or not to its end
  Absent,      // likewise: there is none
};
struct ListEntry {
  std::uint32_t folder = 0;  // which of the request
  std::string name;          // any bytes but "/" and NUL
  Listed kind = Listed::File;
  bool operator==(const ListEntry&) const = default;
};
// Names of this program's own are left out: what is staged, and the agent.
struct Listing {
  static constexpr std::uint8_t kType = 74;
  std::uint32_t request = 0;
  std::vector<ListEntry> entries;
  bool last = false;
  bool operator==(const Listing&) const = default;
};
// The request goes on, or has succeeded, but somebody should know.
struct Warning {
  static constexpr std::uint8_t kType = 72;
  std::uint32_t request = 0;
  std::string path, text;
  bool operator==(const Warning&) const = default;
};

using Answer = std::variant<Hello, Confirmed, Failed, Skipped, RunOutput, RunExit, Restarted, HaveResult,
                            Warning, Listing>;

// One direction of one session: numbers the frames. The first thing written is the magic. A message must keep
// to the bounds above: what the reader would refuse, it is the caller's part to split.
class FrameWriter {
 public:
  void append(std::string& out, const Request& request);
  void append(std::string& out, const Answer& answer);
  // Header of a Data frame whose `size` bytes the caller sends itself, so that replicas can share them.
  std::string data_header(Coding coding, std::size_t size, bool last);

 private:
  void frame(std::string& out, std::uint8_t type, bool last, std::string_view payload, std::size_t more);
  std::uint32_t number_ = 0;
};

struct Frame {
  std::uint8_t type = 0;
  bool last = false;
  std::string_view payload;  // valid until the reader is called again
};

// The other end of it: bytes in, frames out. After an error it only repeats the error.
class FrameReader {
 public:
  // `max_noise`: how many bytes may come before the magic.
  explicit FrameReader(std::size_t max_noise) : max_noise_(max_noise) {}
  void feed(std::string_view bytes);
  // The next whole frame, nothing if more bytes are needed.
  Result<std::optional<Frame>> next();
  // What came before the magic, once that was found.
  const std::string& noise() const { return noise_; }
  // False while the stream is within a frame: its end there means that something is lost.
  bool at_boundary() const { return started_ && used_ == buffer_.size(); }
  std::size_t buffered() const { return buffer_.size() - used_; }

 private:
  Result<bool> find_magic();
  std::unexpected<Error> broken(std::string why);

  std::size_t max_noise_;
  std::string buffer_, noise_;
  std::size_t used_ = 0;
  bool started_ = false;
  std::uint32_t number_ = 0;
  std::optional<Error> error_;
};

// The message in a frame. Invalid: an unknown type, a value out of bounds, too few or too many bytes.
Result<Request> decode_request(const Frame& frame);
Result<Answer> decode_answer(const Frame& frame);

// Relative, without empty, "." or ".." components and NUL, at most kMaxPath bytes; "" is the root itself.
bool valid_path(std::string_view path);
// Absolute, else likewise.
bool valid_root(std::string_view root);

// The version that both ends speak, nothing if there is none.
std::optional<std::uint16_t> common_version(const Hello& ours, const Hello& theirs);

}  // namespace live_update::agent
