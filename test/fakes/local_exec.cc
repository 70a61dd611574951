#include "test/fakes/local_exec.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <deque>
#include <filesystem>

namespace live_update {
namespace {

constexpr int kNotFound = 127;

struct Pipe {
  Pipe() {
    if (pipe2(ends.data(), O_CLOEXEC) != 0) throw std::system_error(errno, std::generic_category(), "pipe2");
  }
  ~Pipe() {
    for (int i : {0, 1}) close(i);
  }
  void close(int i) {
    if (ends[static_cast<std::size_t>(i)] >= 0) ::close(std::exchange(ends[static_cast<std::size_t>(i)], -1));
  }
  int read_end() const { return ends[0]; }
  int write_end() const { return ends[1]; }
  std::array<int, 2> ends{-1, -1};
};

// As a container runtime would: found on the PATH given, not on ours.
std::string find(const std::string& command, const std::string& path) {
  if (command.contains('/')) return command;
  const std::string file = path + "/" + command;
  return access(file.c_str(), X_OK) == 0 ? file : "";
}

class LocalSession : public ExecSession {
 public:
  LocalSession(Loop& loop, const LocalExec::Options& options, ExecRequest request, ExecCallbacks callbacks)
      : loop_(loop), callbacks_(std::move(callbacks)) {
    const std::string file = find(request.command[0], options.path);
    if (file.empty()) {
      later_ = loop_.after(Millis(0), [this, name = request.command[0]] {
        callbacks_.on_end(
            fail(ErrorKind::Internal, "exec: \"" + name + "\": executable file not found in $PATH"));
      });
      return;
    }
    spawn(file, options, request);
    if (!request.stdin_open)
      in_.close(1);
    else
      fcntl(in_.write_end(), F_SETFL, O_NONBLOCK);
    readers_[0] = loop_.on_readable(out_.read_end(), [this] { drain(0, out_, callbacks_.on_stdout); });
    readers_[1] = loop_.on_readable(err_.read_end(), [this] { drain(1, err_, callbacks_.on_stderr); });
  }

  ~LocalSession() override {
    if (pid_ > 0) {
      ::kill(pid_, SIGKILL);
      waitpid(pid_, nullptr, 0);
    }
  }

  void write(std::string bytes, Callback written) override {
    pending_.push_back({std::move(bytes), std::move(written)});
    if (!writer_) writer_ = loop_.after(Millis(0), [this] { flush(); });
  }
  void close_stdin() override {
    close_ = true;
    if (!writer_) writer_ = loop_.after(Millis(0), [this] { flush(); });
  }

 private:
  struct Chunk {
    std::string bytes;
    Callback written;
  };

  void spawn(const std::string& file, const LocalExec::Options& options, const ExecRequest& request) {
    std::vector<std::string> variables{"PATH=" + options.path, "HOME=/", "LIVE_UPDATE_FENCE=" + options.path};
    std::vector<char*> argv, env;
    for (const auto& it : request.command) argv.push_back(const_cast<char*>(it.c_str()));
    for (const auto& it : variables) env.push_back(const_cast<char*>(it.c_str()));
    argv.push_back(nullptr);
    env.push_back(nullptr);
    pid_ = fork();
    if (pid_ == 0) {
      if (options.leader) setsid();
      dup2(in_.read_end(), 0);
      dup2(out_.write_end(), 1);
      dup2(err_.write_end(), 2);
      if (options.uid && (setgid(options.uid) != 0 || setuid(options.uid) != 0)) _exit(kNotFound);
      if (chdir("/") == 0) execve(file.c_str(), argv.data(), env.data());
      _exit(kNotFound);
    }
    in_.close(0);
    out_.close(1);
    err_.close(1);
  }

  void drain(std::size_t which, Pipe& pipe, const std::function<void(std::string)>& to) {
    std::string block(65536, '\0');
    const ssize_t size = read(pipe.read_end(), block.data(), block.size());
    if (size > 0) {
      block.resize(static_cast<std::size_t>(size));
      return to(std::move(block));
    }
    readers_[which].reset();
    pipe.close(0);
    if (++closed_ == 2) ended();
  }

  void ended() {
    int status = 0;
    waitpid(std::exchange(pid_, -1), &status, 0);
    callbacks_.on_end(ExecExit{WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status)});
  }

  void flush() {
    writer_.reset();
    while (!pending_.empty()) {
      Chunk& chunk = pending_.front();
      const ssize_t size = ::write(in_.write_end(), chunk.bytes.data(), chunk.bytes.size());
      if (size < 0 && errno == EAGAIN) {
        writer_ = loop_.after(Millis(1), [this] { flush(); });
        return;
      }
      chunk.bytes.erase(
          0, size < 0 ? chunk.bytes.size() : static_cast<std::size_t>(size));  // EPIPE: nobody reads any more
      if (!chunk.bytes.empty()) continue;
      Callback written = std::move(chunk.written);
      pending_.pop_front();
      if (written) written();
    }
    if (close_) in_.close(1);
  }

  Loop& loop_;
  ExecCallbacks callbacks_;
  Pipe in_, out_, err_;
  pid_t pid_ = -1;
  std::deque<Chunk> pending_;
  bool close_ = false;
  int closed_ = 0;
  std::array<Handle, 2> readers_;
  Handle writer_, later_;
};

}  // namespace

std::unique_ptr<ExecSession> LocalExec::exec(ExecRequest request, ExecCallbacks callbacks) {
  ++execs;
  signal(SIGPIPE, SIG_IGN);
  return std::make_unique<LocalSession>(loop_, options_, std::move(request), std::move(callbacks));
}

}  // namespace live_update
