#include "agent/run/launch.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <string_view>

namespace live_update::agent {
namespace {

std::vector<char*> pointers(std::vector<std::string>& words) {
  std::vector<char*> all;
  for (auto& word : words) all.push_back(word.data());
  all.push_back(nullptr);
  return all;
}

std::vector<std::string> environment(const std::vector<std::string>& over) {
  const auto name = [](std::string_view entry) { return entry.substr(0, entry.find('=')); };
  auto all = over;
  for (char** entry = environ; entry && *entry; ++entry) {
    bool replaced = false;
    for (const auto& ours : over) replaced = replaced || name(ours) == name(*entry);
    if (!replaced) all.emplace_back(*entry);
  }
  return all;
}

// posix_spawnp says EACCES, too, if a directory of PATH may not be looked into.
bool in_path(const std::string& name) {
  const char* path = getenv("PATH");
  for (std::string_view rest = path ? path : ""; !rest.empty();) {
    const auto end = std::min(rest.find(':'), rest.size());
    const auto file = std::string(rest.substr(0, end)) + '/' + name;
    if (access(file.c_str(), F_OK) == 0) return true;
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return false;
}

Failure not_started(int error, const std::string& program) {
  const auto reason = "cannot start \"" + program + "\": ";
  const bool by_path = program.find('/') == program.npos;
  if (error == EACCES && by_path && !in_path(program)) error = ENOENT;
  switch (error) {
    case ENOENT: {
      const char* path = getenv("PATH");
      return {Code::Missing, error, program,
              reason + (by_path ? "there is no such program in PATH=" + std::string(path ? path : "")
                                : "it, or what runs it, is not there"),
              "put it into the image, or give the whole path"};
    }
    case ENOEXEC:
      return {Code::BadRequest, error, program, reason + "it is no program for this machine",
              "begin a script with #!, or run it by sh"};
    case E2BIG:
      return {Code::BadRequest, error, program, reason + "its arguments and environment are too long",
              "pass less"};
    case EACCES:
      return {Code::Permission, error, program, reason + "it is not executable",
              "set the executable bit in the image or on the host"};
    default:
      return {Code::Io, error, program, reason + errno_text(error), ""};
  }
}

Try<> check_directory(const std::string& cwd) {
  if (cwd.empty()) return {};
  struct stat there;
  int error = stat(cwd.c_str(), &there) != 0 ? errno : S_ISDIR(there.st_mode) ? 0 : ENOTDIR;
  if (error == 0 && faccessat(AT_FDCWD, cwd.c_str(), X_OK, AT_EACCESS) != 0) error = errno;
  if (error == 0) return {};
  auto failure = errno_failure(error, "cannot run in the directory", cwd);
  failure.code = error == ENOENT || error == ENOTDIR ? Code::Missing : failure.code;
  failure.remedy = "correct workingDir";
  return failed(std::move(failure));
}

}  // namespace

Try<pid_t> spawn(const Program& program, bool keep_signals) {
  if (auto checked = check_directory(program.cwd); !checked) return failed(checked.error());
  posix_spawnattr_t attributes;
  posix_spawn_file_actions_t actions;
  posix_spawnattr_init(&attributes);
  posix_spawn_file_actions_init(&actions);
  sigset_t none, all;
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &all);
  const int flags = POSIX_SPAWN_SETSIGMASK | (keep_signals ? 0 : POSIX_SPAWN_SETSIGDEF) |
                    (program.session ? POSIX_SPAWN_SETSID : POSIX_SPAWN_SETPGROUP);
  posix_spawnattr_setflags(&attributes, static_cast<short>(flags));
  if (!program.cwd.empty()) posix_spawn_file_actions_addchdir_np(&actions, program.cwd.c_str());
  if (program.out >= 0) {
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, program.out, 1);
    posix_spawn_file_actions_adddup2(&actions, program.err, 2);
    posix_spawn_file_actions_addclosefrom_np(&actions, 3);
  }
  auto argv = program.argv, env = environment(program.env);
  pid_t pid = -1;
  const int error =
      posix_spawnp(&pid, argv[0].c_str(), &actions, &attributes, pointers(argv).data(), pointers(env).data());
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  if (error != 0) return failed(not_started(error, program.argv[0]));
  return pid;
}

}  // namespace live_update::agent
