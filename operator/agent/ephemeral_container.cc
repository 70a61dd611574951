#include "operator/agent/ephemeral_container.h"

#include <rapidjson/pointer.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "core/api/codec.h"
#include "core/base/json.h"
#include "core/base/path.h"
#include "core/base/text.h"
#include "operator/agent/agent_script.h"
#include "operator/exec/output_tail.h"
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

// The kubelet tries most of these again by itself, less and less often.
constexpr std::array kStuck{"ErrImagePull",      "ImagePullBackOff",           "InvalidImageName",
                            "ErrImageNeverPull", "CreateContainerConfigError", "CreateContainerError",
                            "RunContainerError"};

bool is_ours(const std::string& file, const AgentPrograms& programs) {
  return file.starts_with('/') && clean(file) == file && std::ranges::any_of(programs, [&](const auto& it) {
           return file.ends_with("/" + it.second.file_name());
         });
}

// What `live-update-agent place` has said.
void read_report(EphemeralLook& look, const std::string& message) {
  for (std::size_t begin = 0, end; begin < message.size(); begin = end + 1) {
    end = std::min(message.find('\n', begin), message.size());
    const auto note = agent_note(std::string_view(message).substr(begin, end - begin));
    if (!note) continue;
    if (note->kind == AgentNote::Tried) look.tried.push_back("ephemeral container: " + clean(note->text));
    if (note->kind == AgentNote::Start) look.file = note->text;
  }
}

void read_end(EphemeralLook& look, const std::string& name, const Value& terminated,
              const AgentPrograms& programs) {
  const std::string message = text_at(terminated, "/message");
  const auto failed = [&](const std::string& why) {
    look.tried.push_back("ephemeral container " + name + ": " + clean(why));
  };
  look.state = EphemeralLook::Failed;
  read_report(look, message);
  if (is_ours(look.file, programs)) {
    look.state = EphemeralLook::Placed;
  } else if (!look.file.empty()) {
    failed("its image has the agent of another operator (" + look.file + ")");
  } else if (look.tried.empty()) {
    const Value* code = at(terminated, "/exitCode");
    failed(text_at(terminated, "/reason") + ", exit code " + (code ? to_text(*code) : "unknown") +
           (message.empty() ? "" : ": " + message));
  }
}

void read_state(EphemeralLook& look, const std::string& name, const Value& status,
                const AgentPrograms& programs) {
  look.state = EphemeralLook::Coming;
  if (const Value* terminated = at(status, "/state/terminated"))
    return read_end(look, name, *terminated, programs);
  const std::string reason = text_at(status, "/state/waiting/reason");
  if (std::ranges::find(kStuck, reason) != kStuck.end())
    look.why = clean(reason + ": " + text_at(status, "/state/waiting/message"));
}

void read_one(EphemeralLook& look, const Value& pod, const std::string& name, const AgentPrograms& programs) {
  look.state = EphemeralLook::Coming;
  if (const Value* status = named(pod, {"/status/ephemeralContainerStatuses"}, name))
    read_state(look, name, *status, programs);
}

std::vector<const Value*> ours_in(const Value& pod) {
  std::vector<const Value*> found;
  const Value* all = at(pod, "/spec/ephemeralContainers");
  for (rapidjson::SizeType i = 0; all && all->IsArray() && i < all->Size(); ++i)
    if (text_at((*all)[i], "/name").starts_with(kNamePrefix)) found.push_back(&(*all)[i]);
  return found;
}

bool on_volume(const std::string& file, const ContainerRef& to) {
  const auto within = [&](const std::string& place) { return strictly_below(file, place); };
  return std::ranges::any_of(to.empty_dirs, within) && std::ranges::none_of(to.shared, within);
}

// What was placed on a volume of the pod outlives the container.
void look_at_earlier_lives(EphemeralLook& look, const Value& pod, const ContainerRef& to,
                           const AgentPrograms& programs) {
  for (const Value* one : ours_in(pod)) {
    if (text_at(*one, "/targetContainerName") != to.container) continue;
    EphemeralLook earlier;
    read_one(earlier, pod, text_at(*one, "/name"), programs);
    if (earlier.state != EphemeralLook::Placed || !on_volume(earlier.file, to)) continue;
    look.state = EphemeralLook::Placed;
    look.file = earlier.file;
  }
}

bool shares_processes(const Value& pod) {
  return true_at(pod, "/spec/shareProcessNamespace") || true_at(pod, "/spec/hostPID");
}

// A field of the target's security context, or its pod's; or what its status tells of its first process,
// which newer runtimes report; null: only its image knows.
const Value* identity(const Value& pod, const Value& target, const ContainerRef& to, const char* field,
                      const char* in_status = nullptr) {
  const std::string pointer = std::string("/securityContext/") + field;
  if (const Value* own = at(target, pointer.c_str())) return own;
  if (const Value* of_pod = at(pod, ("/spec" + pointer).c_str())) return of_pod;
  const Value* status = in_status ? status_of(pod, to) : nullptr;
  return status ? at(*status, in_status) : nullptr;
}

const Value* user_of(const Value& pod, const Value& target, const ContainerRef& to) {
  return identity(pod, target, to, "runAsUser", "/user/linux/uid");
}

// Of an image that runs as another user than root nothing is known but that: then it is the operator's own.
rapidjson::Document security_context(const Value& pod, const Value& target, const ContainerRef& to) {
  rapidjson::Document out(rapidjson::kObjectType);
  if (const Value* context = at(target, "/securityContext")) out.CopyFrom(*context, out.GetAllocator());
  const Value* user = user_of(pod, target, to);
  const Value* must_not = identity(pod, target, to, "runAsNonRoot");
  if (user) rapidjson::Pointer("/runAsUser").Set(out, *user);
  if (!user && !(must_not && must_not->IsTrue())) rapidjson::Pointer("/runAsUser").Set(out, 0);
  if (const Value* group = identity(pod, target, to, "runAsGroup", "/user/linux/gid"))
    rapidjson::Pointer("/runAsGroup").Set(out, *group);
  return out;
}

std::vector<std::string> command(const Value& pod, const Value& target, const ContainerRef& to,
                                 const std::vector<std::string>& directories) {
  std::vector<std::string> argv{"/agents/live-update-agent", "place", "--report", std::string(kReport)};
  if (shares_processes(pod)) {
    const auto scheme = to.container_id.find("://");
    argv.insert(
        argv.end(),
        {"--container", scheme == std::string::npos ? to.container_id : to.container_id.substr(scheme + 3)});
  }
  if (const Value* user = user_of(pod, target, to); user && user->IsInt64())
    argv.insert(argv.end(), {"--user", std::to_string(user->GetInt64())});
  argv.insert(argv.end(), directories.begin(), directories.end());
  return argv;
}

}  // namespace

EphemeralLook look_for_ephemeral(const Value& pod, const ContainerRef& to, const AgentPrograms& programs,
                                 const std::string& missing) {
  EphemeralLook look;
  look.state = status_of(pod, to) ? EphemeralLook::None : EphemeralLook::Gone;
  if (look.state == EphemeralLook::Gone) return look;
  const std::string prefix = name_prefix(to, programs);
  for (const Value* one : ours_in(pod)) {
    ++look.in_pod;
    look.number = std::max(look.number, number_in(text_at(*one, "/name"), prefix));
  }
  if (look.number > 0)
    read_one(look, pod, prefix + std::to_string(look.number), programs);
  else
    look_at_earlier_lives(look, pod, to, programs);
  if (look.state == EphemeralLook::Placed && look.file == missing) look.state = EphemeralLook::None;
  return look;
}

Request add_ephemeral(const Value& pod, const ContainerRef& to, const AgentPrograms& programs,
                      const EphemeralImage& image, const std::vector<std::string>& directories, int number) {
  static const Value nothing(rapidjson::kObjectType);
  const Value* found = named(pod, {"/spec/containers", "/spec/initContainers"}, to.container);
  const Value* target = found ? found : &nothing;
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
          body.field("command", command(pod, *target, to, directories));
          body.json("securityContext", security_context(pod, *target, to));
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
