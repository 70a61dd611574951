// What one container gets in one go, and how it went: the values between the deciding core and the
// transports.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "core/api/kinds.h"
#include "core/desired/tree.h"
#include "core/rules/plan.h"
#include "core/rules/step_marks.h"

namespace live_update {

// Where a batch goes. A container is its container ID (rule 5.3): a restarted one is another.
struct ContainerRef {
  std::string ns, pod, container, container_id;
  std::vector<std::string> empty_dirs;  // where its pod has scratch space
  std::vector<std::string> shared;      // where others than this container can write: as Target has it
  auto operator<=>(const ContainerRef&) const = default;
};

inline constexpr std::uint32_t kModeBits = 0777;  // of a mode, those that a container gets (rule 4.4)

struct DeliveryWrite {
  std::string to, root;  // absolute remote path, and the sync's remote root that it must stay in (rule 4.3)
  FileType type = FileType::File;
  std::uint32_t mode = 0644;
  std::optional<Time> mtime;
  std::uint64_t size = 0;
  std::string digest;  // of the whole file
  std::string target;  // of a symlink
  // By offset, without gaps. None with size > 0: the bytes are not held. Where the container has them, only mode
  // and time change (rule 2.7); else they are wanted (rule 5.9).
  std::vector<Piece> pieces;
  std::string from;  // the host path
};

// Whether all is there that a container needs which has nothing of it.
bool is_held(const DeliveryWrite& write);

// When a step is due: because of what was named, or, in a comparison, because of what differs in the container
// (rule 3.7).
struct DueIf {
  enum Kind : std::uint8_t { Named, AnyDiffers, OneDiffers } kind = Named;
  std::vector<std::size_t> entries;  // OneDiffers: of these, by number (changed_entry)
  bool looks() const { return kind != Named; }
};

struct DeliveryRun {
  int step = 0;
  std::vector<std::string> command;
  std::string working_dir;
  int timeout_seconds = 600;
  OnFailure on_failure = OnFailure::Stop;
  DueIf due = {};
};

struct Mirror;

// What one container gets in one go; immutable, shared by all replicas that need the same. Order of
// execution: rule 4.1.
struct Delivery {
  std::int64_t sequence = 0;
  // Of the spec that it was made by: which one, what its steps are, whose numbers are below, and its rules.
  std::int64_t generation = 0;
  std::shared_ptr<const StepMarks> steps;
  std::string rules = {};
  std::string live_update = {};  // its UID
  std::vector<DeliveryRun> before_sync;
  std::vector<RemoteDelete> deletes;
  std::vector<DeliveryWrite> writes;
  std::vector<DeliveryRun> after_sync;
  std::optional<Restart> restart;
  int restart_step = 0;
  DueIf restart_due = {};
  Transport transport = Transport::Auto;
  // What only the container has is looked for, and deleted with the rest (core/desired/mirror.h); null: it stays.
  std::shared_ptr<const Mirror> mirror = {};
  std::vector<std::string> notes = {};  // warnings of whoever made it
  bool whole = false;    // all that there is, so that what it does not ask for is wanted no more
  bool compare = false;  // much of it may be there already: ask for digests before sending (rule 5.3)
};

// Whether it must be known what differs before anything is done.
bool looks_first(const Delivery& delivery);

// Content that is needed, and that nobody in the cluster holds (rule 5.9).
struct WantedContent {
  std::string path;  // on the host
  std::string digest;
  std::uint64_t size = 0;
  bool operator==(const WantedContent&) const = default;
};
WantedContent wanted_content(const DeliveryWrite& write);

struct RunFailure {
  int step = 0;
  int exit_code = 0;
  bool timed_out = false;
  std::string tail;  // the last lines of its output
  bool operator==(const RunFailure&) const = default;
};

// The files are there, but for those whose content is `wanted`. `failures` are runs that failed; `skipped` are the steps, runs and the restart, that
// were not reached because an earlier one failed with Stop.
struct Delivered {
  std::vector<RunFailure> failures;
  std::vector<int> skipped;
  std::vector<std::string> warnings;
  std::vector<WantedContent> wanted = {};
  std::optional<Time> sent;  // when the last byte was handed to the container's session
  std::string transport;     // that it took, as in status: "Agent", "Tar"
  bool replace_pod = false;  // the container cannot be restarted from inside: its pod must be deleted for it
  std::string held = {};  // why nothing was deleted that only the container has: it was too much (rule 4.5)
};

// The batch did not arrive in whole. `reason` is a condition reason (core/api/conditions.h); `curable` ones are
// tried again with backoff, the others when the container, the spec or the batch changes (rule 4.9).
struct NotDelivered {
  std::string reason, message;
  bool curable = true;
  // Steps that what differed made due. It may differ no more, so they are due with the next attempt.
  std::vector<int> begun = {};
  // The file whose content is not what was announced of it: what is held of it is of no use (rule 5.9).
  std::optional<WantedContent> wrong = {};
};

using DeliveryOutcome = std::variant<Delivered, NotDelivered>;

}  // namespace live_update
