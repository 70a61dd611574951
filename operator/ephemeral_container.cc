#include "operator/ephemeral_container.h"

#include <rapidjson/pointer.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "core/api_json.h"
#include "core/json.h"
#include "operator/agent_script.h"
#include "operator/output_tail.h"
#include "operator/requests.h"
#include "run/content.h"

namespace live_update {
namespace {

using Value = rapidjson::Value;

constexpr std::string_view kNamePrefix = "live-update-", kReport = "/dev/termination-log";
constexpr std::size_t kDigitsInName = 10;

const Value* at(const Value& object, const char* pointer) { return rapidjson::Pointer(pointer).Get(object); }

std::string text_at(const Value& object, const char* pointer) {
  const Value* value = at(object, pointer);
  return value && value->IsString() ? std::string(value->GetString(), value->GetStringLength()) : "";
}

bool true_at(const Value& object, const char* pointer) {
  const Value* value = at(object, pointer);
  return value && value->IsBool() && value->GetBool();
}

// The entry of this name in the first of the lists that has one.
const Value* named(const Value& pod, std::initializer_list<const char*> lists, std::string_view name) {
  for (const char* list : lists) {
    const Value* entries = at(pod, list);
    if (!entries || !entries->IsArray()) continue;
    for (const Value& entry : entries->GetArray())
      if (text_at(entry, "/name") == name) return &entry;
  }
  return nullptr;
}

const Value* status_of(const Value& pod, const ContainerRef& to) {
  const Value* status =
      named(pod, {"/status/containerStatuses", "/status/initContainerStatuses"}, to.container);
  return status && text_at(*status, "/containerID") == to.container_id && at(*status, "/state/running")
             ? status
             : nullptr;
}

// Names all of a container's life and what is to be put there: "live-update-1f00c5e2aa-".
std::string name_prefix(const ContainerRef& to, const AgentPrograms& programs) {
  std::string all = to.container_id;
  for (const auto& [machine, program] : programs) all += ' ' + agent::digest_text(program.digest);
  const std::string digest = sha256(all);
  return std::string(kNamePrefix) + digest.substr(digest.find(':') + 1, kDigitsInName) + '-';
}

int number_in(std::string_view name, std::string_view prefix) {
  int number = 0;
  if (!name.starts_with(prefix)) return 0;
  name.remove_prefix(prefix.size());
  const auto read = std::from_chars(name.data(), name.data() + name.size(), number);
  return read.ec == std::errc() && read.ptr == name.data() + name.size() ? number : 0;
}

// The kubelet tries these again, less and less often: better said than waited for.
constexpr std::array kStuck{"ErrImagePull",      "ImagePullBackOff",           "InvalidImageName",
                            "ErrImageNeverPull", "CreateContainerConfigError", "CreateContainerError",
                            "RunContainerError", "CreateContainerNameConflict"};

EphemeralLook failed(int number, const std::string& name, const std::string& why) {
  return {EphemeralLook::Failed, number, "", {"ephemeral container " + name + ": " + clean(why)}};
}

bool is_ours(std::string_view file, const AgentPrograms& programs) {
  return std::ranges::any_of(programs, [&](const auto& it) {
    return file.starts_with('/') && file.ends_with("/" + it.second.file_name());
  });
}

// What `live-update-agent place` has said.
EphemeralLook ended(int number, const std::string& name, const Value& terminated,
                    const AgentPrograms& programs) {
  const std::string message = text_at(terminated, "/message");
  EphemeralLook look{EphemeralLook::Failed, number, "", {}};
  for (std::size_t begin = 0, end; begin < message.size(); begin = end + 1) {
    end = std::min(message.find('\n', begin), message.size());
    const auto note = agent_note(std::string_view(message).substr(begin, end - begin));
    if (!note) continue;
    if (note->kind == AgentNote::Tried) look.tried.push_back("ephemeral container: " + clean(note->text));
    if (note->kind == AgentNote::Start) look.file = note->text;
  }
  if (!look.file.empty() && !is_ours(look.file, programs))
    return failed(number, name, "its image has the agent of another operator (" + look.file + ")");
  if (!look.file.empty()) look.state = EphemeralLook::Placed;
  if (!look.file.empty() || !look.tried.empty()) return look;
  const Value* code = at(terminated, "/exitCode");
  return failed(number, name,
                text_at(terminated, "/reason") + ", exit code " + (code ? to_text(*code) : "unknown") +
                    (message.empty() ? "" : ": " + message));
}

bool shares_processes(const Value& pod) {
  return true_at(pod, "/spec/shareProcessNamespace") || true_at(pod, "/spec/hostPID");
}

// What the API tells of the user that the target runs as; null: only its image knows.
const Value* user_of(const Value& pod, const Value& target, const ContainerRef& to) {
  if (const Value* user = at(target, "/securityContext/runAsUser")) return user;
  if (const Value* user = at(pod, "/spec/securityContext/runAsUser")) return user;
  const Value* status = status_of(pod, to);
  return status ? at(*status, "/user/linux/uid") : nullptr;
}

bool must_not_be_root(const Value& pod, const Value& target) {
  return true_at(target, "/securityContext/runAsNonRoot") ||
         (!at(target, "/securityContext/runAsNonRoot") && true_at(pod, "/spec/securityContext/runAsNonRoot"));
}

// Of an image that runs as another user than root nothing is known but that: then it is the operator's own.
rapidjson::Document security_context(const Value& pod, const Value& target, const ContainerRef& to) {
  rapidjson::Document out(rapidjson::kObjectType);
  if (const Value* context = at(target, "/securityContext")) out.CopyFrom(*context, out.GetAllocator());
  const Value* user = user_of(pod, target, to);
  if (user) rapidjson::Pointer("/runAsUser").Set(out, *user);
  if (!user && !must_not_be_root(pod, target)) rapidjson::Pointer("/runAsUser").Set(out, 0);
  return out;
}

std::vector<std::string> command(const Value& pod, const ContainerRef& to,
                                 const std::vector<std::string>& directories) {
  std::vector<std::string> argv{"/agents/live-update-agent", "place", "--report", std::string(kReport)};
  if (shares_processes(pod)) {
    const auto scheme = to.container_id.find("://");
    argv.insert(
        argv.end(),
        {"--container", scheme == std::string::npos ? to.container_id : to.container_id.substr(scheme + 3)});
  }
  argv.insert(argv.end(), directories.begin(), directories.end());
  return argv;
}

}  // namespace

EphemeralLook look_for_ephemeral(const Value& pod, const ContainerRef& to, const AgentPrograms& programs) {
  if (!status_of(pod, to)) return {EphemeralLook::Gone, 0, "", {}};
  const std::string prefix = name_prefix(to, programs);
  int number = 0;
  if (const Value* all = at(pod, "/spec/ephemeralContainers"); all && all->IsArray())
    for (const Value& entry : all->GetArray())
      number = std::max(number, number_in(text_at(entry, "/name"), prefix));
  if (number == 0) return {};
  const std::string name = prefix + std::to_string(number);
  const Value* status = named(pod, {"/status/ephemeralContainerStatuses"}, name);
  if (!status) return {EphemeralLook::Coming, number, "", {}};
  if (const Value* terminated = at(*status, "/state/terminated"))
    return ended(number, name, *terminated, programs);
  const std::string reason = text_at(*status, "/state/waiting/reason");
  if (std::ranges::find(kStuck, reason) != kStuck.end())
    return failed(number, name, reason + ": " + text_at(*status, "/state/waiting/message"));
  return {EphemeralLook::Coming, number, "", {}};
}

Request add_ephemeral(const Value& pod, const ContainerRef& to, const AgentPrograms& programs,
                      const EphemeralImage& image, const std::vector<std::string>& directories, int number) {
  static const Value nothing(rapidjson::kObjectType);
  const Value* target = named(pod, {"/spec/containers", "/spec/initContainers"}, to.container);
  JsonWriter body;
  body.object([&] {
    body.object("metadata", [&] { body.field("uid", text_at(pod, "/metadata/uid")); });
    body.object("spec", [&] {
      body.list("ephemeralContainers", std::array{number}, [&](int it) {
        body.object([&] {
          body.field("name", name_prefix(to, programs) + std::to_string(it));
          body.field("image", image.name);
          body.field_if("imagePullPolicy", image.pull_policy);
          body.field("targetContainerName", to.container);
          body.field("command", command(pod, to, directories));
          body.json("securityContext", security_context(pod, target ? *target : nothing, to));
        });
      });
    });
  });
  return {.method = Method::Patch,
          .path = "/api/v1/namespaces/" + to.ns + "/pods/" + to.pod + "/ephemeralcontainers",
          .query = {{"fieldManager", std::string(kFieldManager)}},
          .content_type = "application/strategic-merge-patch+json",
          .body = body.take()};
}

}  // namespace live_update
