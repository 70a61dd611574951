// What the `Tar` transport executes in a container: argument vectors and the shell scripts in them. Pure.
//
// The scripts need a POSIX sh (dash, busybox, bash), and tar, rm, rmdir, mkdir and chmod of GNU, busybox or
// toybox, each only where it is used. They never run what they are given as code: paths travel as arguments.
// test/wire/tar_shell_test.cc runs them with every shell and tar there is.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "core/desired/delivery.h"

namespace live_update {

using Argv = std::vector<std::string>;

// One exec of a batch. `with_tar`: a tar archive is expected on stdin; else nothing is.
struct BatchCommand {
  Argv argv;
  bool with_tar = false;
};

// The commands that carry out the deletes and writes of a delivery, in order; all but the last only prepare.
// Usually one; more where the paths do not fit into one command (`kArgumentLimit`). Empty: there is nothing
// to do.
//
// Each command first looks at every directory on the way (rule 4.3): a symbolic link below the sync root, on
// the way to a write, ends it before anything is changed; behind one on the way to a delete there is nothing of
// ours. Then directories take the place of files and files that of directories, and what is deleted is removed,
// whatever it is, directories if nothing is left in them (rule 4.5); then tar runs. What cannot be deleted stays,
// and is said (`kStays`).
// Error Invalid: a path does not lie in its sync root, or in a symbolic link of the same batch. Nothing may
// be sent.
Result<std::vector<BatchCommand>> batch_commands(const Delivery& delivery);

// The command goes into the URL of the exec request: HTTP servers take a megabyte, and encoding up to triples
// it.
inline constexpr std::size_t kArgumentLimit = 96 * 1024;

// A run step (rule 4.6). The command is executed in place of the shell, so that its exit code and signals are
// its own, in a process group of its own where that can be had. Before that one line on stderr: `live-update:
// pid=PID group|single`.
Argv run_command(const DeliveryRun& run, const Delivery& delivery);
// Takes the pid line out of what has come of stderr so far; "": it has not come yet. Else what to give to
// `kill_command`: "-PID" for a group, "PID" for a single process.
std::string take_pid(std::string& err);
// TERM, up to five seconds, KILL.
Argv kill_command(const std::string& pid);

// Sends a signal to process 1, unless it would not handle it (from inside its PID namespace nothing then
// happens) or it is not the container's own (shared or host PID namespace).
Argv signal_command(std::string_view signal);
}  // namespace live_update
