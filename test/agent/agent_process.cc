#include "test/agent/agent_process.h"

#include <dirent.h>
#include <doctest/doctest.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zstd.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <thread>

#include "run/content.h"

namespace live_update::agent {
namespace {

using Clock = std::chrono::steady_clock;
std::chrono::seconds patience() { return std::chrono::seconds(emulated() ? 60 : 10); }

// Answers some system calls with an errno; 0 leaves one to the kernel.
void deny(const Setup& setup) {
  const auto result = [](int error) {
    return error ? SECCOMP_RET_ERRNO | static_cast<unsigned>(error) : SECCOMP_RET_ALLOW;
  };
  sock_filter code[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat2, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, result(setup.openat2_error)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_pidfd_open, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, result(setup.pidfd_error)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_renameat2, 0, 3),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, args[4])),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, RENAME_EXCHANGE, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, result(setup.exchange_error)),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  sock_fprog program{std::size(code), code};
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

[[noreturn]] void become_agent(const Setup& setup) {
  setenv("LIVE_UPDATE_FENCE", std::to_string(getpid()).c_str(), 1);
  for (const auto& entry : setup.env) putenv(const_cast<char*>(entry.c_str()));
  if (setup.uid != 0 && (setgroups(0, nullptr) != 0 || setgid(setup.uid) != 0 || setuid(setup.uid) != 0))
    _exit(99);
  if (setup.openat2_error || setup.exchange_error || setup.pidfd_error) deny(setup);
  auto words = setup.before;
  for (auto& word : setup.program.empty() ? agent_command() : std::vector{setup.program})
    words.push_back(word);
  words.insert(words.end(), setup.arguments.begin(), setup.arguments.end());
  std::vector<char*> argv;
  for (auto& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  execvp(argv[0], argv.data());
  _exit(98);
}

}  // namespace

std::vector<std::string> agent_command() {
  const char* other = getenv("LIVE_UPDATE_AGENT");
  std::istringstream words(other ? other : LIVE_UPDATE_BUILT_AGENT);
  return std::vector<std::string>(std::istream_iterator<std::string>(words), {});
}

Child::Child(const Setup& setup, bool streams) {
  int to[2] = {-1, -1}, from[2] = {-1, -1};
  if (streams && (pipe2(to, O_CLOEXEC) != 0 || pipe2(from, O_CLOEXEC) != 0)) std::abort();
  pid_ = fork();
  if (pid_ == 0) {
    if (streams) dup2(to[0], 0), dup2(from[1], 1);
    become_agent(setup);
  }
  if (!streams) return;
  ::close(to[0]), ::close(from[1]);
  in = Fd(to[1]), out = Fd(from[0]);
}

Child::~Child() {
  if (reaped_) return;
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
}

void Child::signal(int number) const { kill(pid_, number); }

int Child::wait() {
  if (reaped_) return exit_code_;
  int status = 0;
  if (!soon([&] { return waitpid(pid_, &status, WNOHANG) == pid_; })) return -1;
  reaped_ = true;
  return exit_code_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

AgentProcess::AgentProcess(const Setup& setup, const Hello& hello) : child_(setup) {
  ::signal(SIGPIPE, SIG_IGN);
  send({hello});
  const auto heard = next();
  if (const auto* theirs = std::get_if<Hello>(&heard.answer)) hello_ = *theirs;
}

std::string AgentProcess::encode(const std::vector<Request>& requests) {
  std::string bytes;
  for (const auto& request : requests) writer_.append(bytes, request);
  return bytes;
}

void AgentProcess::send(const std::vector<Request>& requests) { send_bytes(encode(requests)); }

void AgentProcess::send_bytes(std::string_view bytes) {
  while (!bytes.empty()) {
    const auto wrote = write(child_.in.get(), bytes.data(), bytes.size());
    if (wrote <= 0) return;
    bytes.remove_prefix(static_cast<std::size_t>(wrote));
  }
}

Received AgentProcess::next() {
  while (true) {
    auto frame = reader_.next();
    if (!frame) return {Failed{.code = Code::Protocol, .reason = frame.error().message}, ""};
    if (*frame) {
      Received received{Skipped{}, std::string((*frame)->payload)};
      (*frame)->payload = received.bytes;
      const auto answer = decode_answer(**frame);
      received.answer = answer ? *answer : Failed{.code = Code::Protocol, .reason = answer.error().message};
      return received;
    }
    pollfd ready{child_.out.get(), POLLIN, 0};
    if (poll(&ready, 1, static_cast<int>(patience().count()) * 1000) == 0)
      return {Failed{.code = Code::Protocol, .reason = "late"}, ""};
    char block[64 << 10];
    const auto got = read(child_.out.get(), block, sizeof block);
    if (got <= 0) return {Failed{.code = Code::Protocol, .reason = "end"}, ""};
    reader_.feed({block, static_cast<std::size_t>(got)});
  }
}

Answer AgentProcess::answer_to(std::uint32_t request) {
  while (true) {
    const auto received = next();
    const auto* failure = std::get_if<Failed>(&received.answer);
    if (failure &&
        (failure->request == request || failure->code == Code::Protocol || failure->code == Code::Version))
      return *failure;
    if (const auto* printed = std::get_if<RunOutput>(&received.answer)) {
      (printed->stream == Stream::Out ? output : errors)[printed->request] += printed->bytes;
      if (on_output) on_output(*printed);
      continue;
    }
    if (const auto* warning = std::get_if<Warning>(&received.answer)) {
      warnings.push_back(*warning);
      continue;
    }
    const bool wanted = std::visit(
        [&](const auto& one) {
          if constexpr (requires { one.request; }) return one.request == request;
          return false;
        },
        received.answer);
    if (wanted) return received.answer;
  }
}

Answer AgentProcess::ask(const std::vector<Request>& requests, std::uint32_t request) {
  send(requests);
  return answer_to(request);
}

Answer AgentProcess::apply(const std::vector<std::string>& roots, std::vector<Request> entries) {
  const auto request = static_cast<std::uint32_t>(1000 + ++sequence_);
  std::vector<Request> all{Begin{request, {.fresh = true}, sequence_, roots}};
  all = std::move(all) + std::move(entries) + std::vector<Request>{Commit{sequence_}};
  return ask(all, request);
}

int AgentProcess::close() {
  child_.in.reset();
  return child_.wait();
}

namespace {
std::string file_text(const std::filesystem::path& path) {
  struct stat there{};
  stat(path.c_str(), &there);
  std::ostringstream text;
  text << "file " << std::oct << (there.st_mode & 07777) << " "
       << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}
}  // namespace

Digest sha256_of(std::string_view bytes) { return *digest_from(live_update::sha256(bytes)); }

std::string zstd_of(std::string_view bytes) {
  std::string out(ZSTD_compressBound(bytes.size()), '\0');
  out.resize(ZSTD_compress(out.data(), out.size(), bytes.data(), bytes.size(), 3));
  return out;
}

std::vector<Request> file(std::string path, std::string_view content, std::uint16_t mode,
                          std::uint16_t root) {
  File head{.root = root,
            .path = std::move(path),
            .mode = mode,
            .mtime = Mtime{1'600'000'000, 123'456'789},
            .size = content.size(),
            .digest = sha256_of(content)};
  std::vector<Request> all{head};
  constexpr std::size_t kPiece = 256 << 10;
  for (std::size_t at = 0; at < content.size(); at += kPiece)
    all.push_back(Data{Coding::Identity, content.substr(at, kPiece), at + kPiece >= content.size()});
  return all;
}

std::vector<Request> operator+(std::vector<Request> all, std::vector<Request> more) {
  all.insert(all.end(), more.begin(), more.end());
  return all;
}

std::string failure_of(const Answer& answer) {
  static constexpr const char* kCodes[14] = {
      "Protocol", "Version",  "",           "BadRequest", "Escapes",      "Digest",    "Missing",
      "NoSpace",  "ReadOnly", "Permission", "Io",         "NotRestarted", "TakenOver", "Outdated"};
  const auto* failure = std::get_if<Failed>(&answer);
  if (!failure) return "";
  auto text = std::string(kCodes[static_cast<int>(failure->code)]) + ": " + failure->reason;
  return failure->remedy.empty() ? text : text + " (" + failure->remedy + ")";
}

Request barrier(std::uint32_t request) {
  return Have{.request = request, .root = "/", .below = false, .paths = {}};
}

bool passed(const Answer& answer) { return std::holds_alternative<HaveResult>(answer); }

bool confirmed(const Answer& answer) { return std::holds_alternative<Confirmed>(answer); }

std::map<std::string, std::string> tree_of(const std::string& root) {
  std::map<std::string, std::string> all;
  namespace fs = std::filesystem;
  if (!fs::exists(root)) return all;
  try {
    for (const auto& entry : fs::recursive_directory_iterator(root)) {
      auto& what = all[entry.path().lexically_relative(root).string()];
      if (entry.is_symlink()) {
        what = "link " + fs::read_symlink(entry.path()).string();
      } else if (entry.is_directory()) {
        what = "dir";
      } else {
        what = file_text(entry.path());
      }
    }
  } catch (const fs::filesystem_error& error) {
    // Something is being removed at this moment.
    all[error.what()];
  }
  return all;
}

Sleeper::Sleeper(const std::string& file) : pid_(fork()) {
  if (pid_ == 0) {
    execl(file.c_str(), "sleeper", "60", nullptr);
    _exit(1);
  }
  std::error_code unreadable;  // before its exec, under another user
  REQUIRE(soon([&] {
    return std::filesystem::read_symlink("/proc/" + std::to_string(pid_) + "/exe", unreadable) == file;
  }));
}

Sleeper::~Sleeper() {
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
}

bool soon(const std::function<bool()>& holds) {
  for (const auto until = Clock::now() + patience(); Clock::now() < until;) {
    if (holds()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return holds();
}

}  // namespace live_update::agent
