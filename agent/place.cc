#include "agent/place.h"

#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <expected>

#include "agent/files/content.h"
#include "agent/files/own_program.h"
#include "agent/files/sync_root.h"
#include "agent/files/temp_name.h"
#include "agent/files/tree_ops.h"
#include "agent/system/failure.h"
#include "agent/system/fd.h"
#include "agent/system/process.h"
#include "core/wire/agent_notes.h"
#include "core/wire/agent_protocol.h"

namespace live_update::agent {
namespace {

constexpr time_t kAbandonedSeconds = 3'600;

template <typename T = void>
using Said = std::expected<T, std::string>;  // else what was wrong

std::unexpected<std::string> errno_said(const std::string& what) {
  return std::unexpected(what + ": " + errno_text(errno));
}

Said<> copy(int from, int to) {
  std::array<char, 65536> block;
  off_t at = 0;
  for (ssize_t size; (size = pread(from, block.data(), block.size(), at)) != 0; at += size) {
    if (size < 0) return errno_said("this program cannot be read");
    for (ssize_t done = 0; done < size;) {
      const auto wrote = write(to, block.data() + done, static_cast<std::size_t>(size - done));
      if (wrote < 0) return errno_said("is not writable");
      done += wrote;
    }
  }
  return {};
}

// Beside it first, so that nobody executes half a program.
Said<> copy_into(int directory, const std::string& name, int program) {
  const std::string part = next_temp_name();
  Fd out(openat(directory, part.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0755));
  if (!out) return errno_said("is not writable");
  auto copied = copy(program, out.get());
  if (copied && fchmod(out.get(), 0755) != 0) copied = errno_said("is not writable");
  out.reset();
  if (copied && renameat(directory, part.c_str(), directory, name.c_str()) != 0)
    copied = errno_said("is not writable");
  if (!copied) unlinkat(directory, part.c_str(), 0);
  return copied;
}

bool lies_there(int directory, const std::string& name, const Digest& digest) {
  const Fd file(openat(directory, name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  struct stat there;
  return file && fstat(file.get(), &there) == 0 && S_ISREG(there.st_mode) && there.st_uid == geteuid() &&
         (there.st_mode & 0111) != 0 && digest_of(file.get()) == digest;
}

// Older versions, and what shells did not finish (operator/agent/agent_script.h); others may be at work in the same
// directory now.
bool is_left_over(int directory, const std::string& it, const std::string& name) {
  if (!it.starts_with(kProgramPrefix) || it == name) return false;
  struct stat there;
  const bool part = it.find('.', kProgramPrefix.size()) != it.npos;
  return !part || (fstatat(directory, it.c_str(), &there, AT_SYMLINK_NOFOLLOW) == 0 &&
                   time(nullptr) - there.st_mtime > kAbandonedSeconds);
}

void remove_left_overs(int directory, const std::string& name) {
  clean_directory(directory);
  int ignored = 0;
  for (const auto& it : names_in(directory, ignored))
    if (is_left_over(directory, it, name)) unlinkat(directory, it.c_str(), 0);
}

// The numbers of a line of /proc/PID/status, "Uid:\t0\t0\t0\t0".
std::vector<unsigned> numbers_of(std::string_view status, std::string_view line) {
  std::vector<unsigned> numbers;
  const auto begin = status.find(line);
  if (begin == status.npos) return numbers;
  status.remove_prefix(begin + line.size());
  status = status.substr(0, status.find('\n'));
  for (std::size_t at = 0; (at = status.find_first_not_of("\t ", at)) != status.npos;) {
    unsigned number = 0;
    const auto read = std::from_chars(status.data() + at, status.data() + status.size(), number);
    if (read.ec != std::errc()) break;
    numbers.push_back(number);
    at = static_cast<std::size_t>(read.ptr - status.data());
  }
  return numbers;
}

// A process of the target, held by its directory in /proc: its number may become another one's.
struct Process {
  std::string number;
  Fd directory;
  std::string read(const char* file) const {
    return read_small_file("/proc/self/fd/" + std::to_string(directory.get()) + '/' + file);
  }
};

Said<Process> find_process(const Placing& placing) {
  const pid_t pid = placing.container.empty() ? placing.process : process_of_container(placing.container);
  const std::string nobody = "no process of container " + placing.container + " is to be seen from here";
  if (pid == 0) return std::unexpected(nobody);
  if (pid == getpid())
    return std::unexpected(
        "the container runtime does not let ephemeral containers join the process namespace of another "
        "container (targetContainerName)");
  Process process{std::to_string(pid),
                  Fd(open(("/proc/" + std::to_string(pid)).c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC))};
  if (!process.directory) return std::unexpected("it has no process " + process.number);
  if (process.read("cgroup").find(placing.container) == std::string::npos) return std::unexpected(nobody);
  return process;
}

// Only who is the same user and group may look through /proc/PID/root. Root can become that.
Said<> become_user_of(const Process& process, const std::optional<unsigned>& expected) {
  constexpr std::size_t kEffective = 1;
  const auto status = process.read("status");
  const auto uids = numbers_of(status, "\nUid:"), gids = numbers_of(status, "\nGid:");
  if (uids.size() <= kEffective || gids.size() <= kEffective)
    return std::unexpected("process " + process.number + " is not to be seen");
  const uid_t uid = uids[kEffective];
  const gid_t gid = gids[kEffective];
  // What lies there would be executed with rights that whoever can change it does not have.
  if (expected && *expected != uid)
    return std::unexpected("its main process runs as user ID " + std::to_string(uid) +
                           ", but commands in it as user ID " + std::to_string(*expected) +
                           "; set securityContext.runAsUser of the pod to " + std::to_string(uid));
  if (geteuid() != 0 || (uid == 0 && gid == getegid())) return {};
  const auto groups = numbers_of(status, "\nGroups:");
  if (setgroups(groups.size(), groups.data()) == 0 && setresgid(gid, gid, gid) == 0 &&
      setresuid(uid, uid, uid) == 0)
    return {};
  return errno_said("user ID " + std::to_string(uid) + " and group ID " + std::to_string(gid) +
                    " cannot be taken on; set securityContext.runAsUser and runAsGroup of the pod to them");
}

// The target's root directory.
Said<Fd> open_target(const Placing& placing) {
  const auto process = find_process(placing);
  if (!process) return std::unexpected(process.error());
  if (const auto became = become_user_of(*process, placing.user); !became)
    return std::unexpected(became.error());
  Fd root(openat(process->directory.get(), "root", O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!root)
    return errno_said("user ID " + std::to_string(geteuid()) + ", group ID " + std::to_string(getegid()) +
                      " may not look through /proc/" + process->number +
                      "/root; set securityContext.runAsUser and runAsGroup of the pod to the user and group "
                      "that its main process runs as (a program with capabilities of its file, or one that "
                      "it may not read, cannot be looked into)");
  return root;
}

Said<> place_in(int root, const std::string& directory, const std::string& name, const Digest& digest,
                int program) {
  const auto place = open_below(root, directory == "/" ? "." : directory.substr(1), Links::Inside);
  if (!place) return std::unexpected(place.error() == ENOENT ? "is not there" : errno_text(place.error()));
  struct statvfs mount;
  if (fstatvfs(place->get(), &mount) == 0 && (mount.f_flag & ST_NOEXEC) != 0)
    return std::unexpected("does not allow execution");
  if (!lies_there(place->get(), name, digest)) {
    if (const auto copied = copy_into(place->get(), name, program); !copied) return copied;
  }
  remove_left_overs(place->get(), name);
  return {};
}

// What the operator reads is short: Kubernetes keeps little of it.
class Report {
 public:
  explicit Report(const std::string& file)
      : file_(file.empty() ? Fd() : Fd(open(file.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC))) {}
  void tried(const std::string& what, const std::string& why) {
    add(kNoteTried, what + ": " + why);
    print(2, lines_.substr(lines_.rfind(kNoteMark)));
  }
  int lies(const std::string& file) {
    lines_.clear();
    add(kNoteStart, file);
    return end(0);
  }
  int nowhere() {
    add(kNoteNone, "");
    return end(1);
  }

 private:
  void add(std::string_view word, const std::string& rest) {
    lines_.append(kNoteMark).append(word).append(rest) += '\n';
  }
  int end(int code) {
    print(2, lines_.substr(lines_.rfind(kNoteMark)));
    if (file_) print(file_.get(), lines_);
    return code;
  }
  Fd file_;
  std::string lines_;
};

}  // namespace

int place(const Placing& placing) {
  Report report(placing.report);
  const Fd program = open_own_program();
  const auto digest = program ? digest_of(program.get()) : std::expected<Digest, int>(std::unexpected(errno));
  if (!digest) return report.tried("/proc/self/exe", errno_text(digest.error())), report.nowhere();
  const auto root = open_target(placing);
  if (!root) return report.tried("the container", root.error()), report.nowhere();
  const std::string name = program_file_name(*digest);
  for (const std::string& directory : placing.directories) {
    const auto placed = place_in(root->get(), directory, name, *digest, program.get());
    if (placed) return report.lies((directory == "/" ? "" : directory) + "/" + name);
    report.tried(directory, placed.error());
  }
  return report.nowhere();
}

int install(const std::string& to) {
  const auto slash = to.rfind('/');
  const std::string directory = slash == to.npos ? "." : slash == 0 ? "/" : to.substr(0, slash);
  const Fd program = open_own_program();
  const Fd place(open(directory.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  const auto copied = place ? copy_into(place.get(), to.substr(slash + 1), program.get())
                            : Said<>(errno_said(directory + " cannot be opened"));
  if (copied) return 0;
  print(2, "live-update-agent: cannot write " + to + ": " + copied.error() + "\n");
  return 1;
}

}  // namespace live_update::agent
