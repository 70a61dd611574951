#include "kube/credential_plugin.h"

#include <fcntl.h>
#include <poll.h>
#include <rapidjson/document.h>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <functional>
#include <utility>
#include <vector>

#include "core/api/codec.h"
#include "core/base/base64.h"
#include "core/base/time.h"
#include "kube/environment.h"

namespace live_update {
namespace {

constexpr std::size_t kMostOutput = 1 << 20;

std::string text(const rapidjson::Value& object, const char* name) {
  const auto it = object.FindMember(name);
  return it != object.MemberEnd() && it->value.IsString() ? it->value.GetString() : "";
}

std::unexpected<Error> bad_output(const ExecPlugin& plugin, const std::string& why) {
  return fail(ErrorKind::Unauthorized, "the credential plugin " + plugin.command + " " + why);
}

Error not_started(const ExecPlugin& plugin, const std::string& user, int error) {
  std::string message = "the credential plugin " + plugin.command + " of user \"" + user +
                        "\" cannot be started: " +
                        (error == ENOENT ? "there is no such program in PATH" : std::strerror(error));
  if (!plugin.install_hint.empty()) message += "; " + plugin.install_hint;
  return {ErrorKind::Unauthorized, std::move(message)};
}

Error ended_badly(const ExecPlugin& plugin, const std::string& user, int status) {
  const std::string how = WIFEXITED(status) ? "ended with exit code " + std::to_string(WEXITSTATUS(status))
                                            : "was ended by signal " + std::to_string(WTERMSIG(status));
  return {ErrorKind::Unauthorized, "the credential plugin " + plugin.command + " of user \"" + user + "\" " +
                                       how + ": see its own output, or log in again"};
}

// Our environment with the plugin's variables and KUBERNETES_EXEC_INFO over it.
std::vector<std::string> environment(const ExecPlugin& plugin, const std::string& input) {
  auto extra = plugin.env;
  extra.emplace_back("KUBERNETES_EXEC_INFO", input);
  auto out = environment_for_children();
  std::erase_if(out, [&](const std::string& have) {
    const auto name = have.substr(0, have.find('='));
    return std::ranges::any_of(extra, [&](const auto& variable) { return variable.first == name; });
  });
  for (const auto& [key, value] : extra) out.push_back(key + "=" + value);
  return out;
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> out;
  for (auto& one : texts) out.push_back(one.data());
  out.push_back(nullptr);
  return out;
}

// Starts the program with `out` as its stdout; 0 or an errno.
int spawn(const ExecPlugin& plugin, const std::string& input, bool interactive, int out, pid_t& pid) {
  std::vector<std::string> arguments{plugin.command};
  arguments.insert(arguments.end(), plugin.args.begin(), plugin.args.end());
  auto variables = environment(plugin, input);

  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_adddup2(&files, out, STDOUT_FILENO);
  if (!interactive) posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t signals;
  sigemptyset(&signals);
  posix_spawnattr_setsigmask(&attributes, &signals);
  sigaddset(&signals, SIGPIPE);
  posix_spawnattr_setsigdefault(&attributes, &signals);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);

  const int error = posix_spawnp(&pid, plugin.command.c_str(), &files, &attributes,
                                 pointers(arguments).data(), pointers(variables).data());
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&files);
  return error;
}

// Until the program closes its stdout or `cancel` becomes readable; false if the latter.
bool read_all(int fd, int cancel, std::string& output) {
  for (;;) {
    pollfd waits[] = {{fd, POLLIN, 0}, {cancel, POLLIN, 0}};
    if (::poll(waits, 2, -1) < 0 && errno != EINTR) return false;
    if (waits[1].revents != 0) return false;
    if (waits[0].revents == 0) continue;
    char buffer[4096];
    const auto n = ::read(fd, buffer, sizeof buffer);
    if (n <= 0) return n == 0;
    if (output.size() < kMostOutput) output.append(buffer, static_cast<std::size_t>(n));
  }
}

Result<std::string> run(const ExecPlugin& plugin, const std::string& user, const std::string& input,
                        bool interactive, int cancel) {
  int pipe[2];
  if (::pipe2(pipe, O_CLOEXEC) != 0) return std::unexpected(not_started(plugin, user, errno));
  pid_t pid = 0;
  const int error = spawn(plugin, input, interactive, pipe[1], pid);
  ::close(pipe[1]);
  if (error != 0) {
    ::close(pipe[0]);
    return std::unexpected(not_started(plugin, user, error));
  }
  std::string output;
  if (!read_all(pipe[0], cancel, output)) ::kill(pid, SIGKILL);
  ::close(pipe[0]);
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (status != 0) return std::unexpected(ended_badly(plugin, user, status));
  return output;
}

}  // namespace

std::string plugin_input(const ExecPlugin& plugin, const PluginClusterInfo& cluster, bool interactive) {
  rapidjson::StringBuffer buffer;
  rapidjson::Writer<rapidjson::StringBuffer> json(buffer);
  auto field = [&](const char* name, const std::string& value) {
    if (value.empty()) return;
    json.Key(name);
    json.String(value.data(), static_cast<rapidjson::SizeType>(value.size()));
  };
  json.StartObject();
  field("apiVersion", plugin.api_version);
  field("kind", "ExecCredential");
  json.Key("spec");
  json.StartObject();
  json.Key("interactive");
  json.Bool(interactive);
  if (plugin.provide_cluster_info) {
    json.Key("cluster");
    json.StartObject();
    field("server", cluster.server);
    field("tls-server-name", cluster.tls_server_name);
    if (cluster.insecure) {
      json.Key("insecure-skip-tls-verify");
      json.Bool(true);
    }
    field("certificate-authority-data", encode_base64(cluster.ca));
    if (!plugin.cluster_config.empty()) {
      json.Key("config");
      json.RawValue(plugin.cluster_config.data(), plugin.cluster_config.size(), rapidjson::kObjectType);
    }
    json.EndObject();
  }
  json.EndObject();
  json.EndObject();
  return buffer.GetString();
}

Result<PluginCredential> parse_plugin_output(const ExecPlugin& plugin, std::string_view output) {
  rapidjson::Document document;
  document.Parse<rapidjson::kParseIterativeFlag>(output.data(), output.size());
  if (document.HasParseError() || !document.IsObject()) return bad_output(plugin, "printed no JSON object");
  if (text(document, "apiVersion") != plugin.api_version)
    return bad_output(plugin, "answered with apiVersion \"" + text(document, "apiVersion") +
                                  "\", but its kubeconfig entry says " + plugin.api_version);
  const auto status = document.FindMember("status");
  if (status == document.MemberEnd() || !status->value.IsObject())
    return bad_output(plugin, "gave no status with a credential");
  PluginCredential credential{text(status->value, "token"), text(status->value, "clientCertificateData"),
                              text(status->value, "clientKeyData"), std::nullopt};
  if (credential.certificate.empty() != credential.key.empty())
    return bad_output(plugin, "gave only one of clientCertificateData and clientKeyData");
  if (credential.token.empty() && credential.certificate.empty())
    return bad_output(plugin, "gave neither a token nor a certificate");
  if (const auto expires = text(status->value, "expirationTimestamp"); !expires.empty()) {
    const auto time = parse_time(expires);
    if (!time) return bad_output(plugin, "gave an expirationTimestamp that is no time: \"" + expires + "\"");
    credential.expires = *time;
  }
  return credential;
}

// On the loop, the pipe's write end aside; the thread has copies of all it needs.
struct PluginRun::State {
  std::move_only_function<void(Result<std::string>)> done;
  int cancel[2] = {-1, -1};
  ~State() {
    for (const int fd : cancel)
      if (fd >= 0) ::close(fd);
  }
};

PluginRun::PluginRun(Loop& loop, const ExecPlugin& plugin, std::string user, std::string input,
                     bool interactive, std::move_only_function<void(Result<std::string>)> done)
    : state_(std::make_shared<State>()) {
  state_->done = std::move(done);
  static_cast<void>(::pipe2(state_->cancel, O_CLOEXEC));
  const int cancel = state_->cancel[0];
  std::weak_ptr<State> weak = state_;
  thread_ = std::jthread(
      [&loop, plugin, user = std::move(user), input = std::move(input), interactive, cancel, weak] {
        auto outcome = run(plugin, user, input, interactive, cancel);
        loop.post([weak, outcome = std::move(outcome)]() mutable {
          if (const auto state = weak.lock()) std::exchange(state->done, nullptr)(std::move(outcome));
        });
      });
}

PluginRun::~PluginRun() {
  if (state_->cancel[1] >= 0) static_cast<void>(!::write(state_->cancel[1], "", 1));
  thread_.join();
}

}  // namespace live_update
