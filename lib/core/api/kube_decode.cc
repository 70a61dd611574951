#include <algorithm>
#include <map>
#include <set>

#include "core/api/meta_codec.h"

namespace live_update {
namespace {

using Names = std::set<std::string>;

struct Volumes {
  Names empty_dirs;
  Names own;                           // of the pod alone, and for as long as it lives
  Names unwritable;                    // for all containers
  std::map<std::string, int> writers;  // how many containers may write there
};

Volumes read_volumes(ObjectReader& spec) {
  Volumes volumes;
  spec.read_list("volumes", [&](ObjectReader& volume, int) {
    std::string name;
    volume.read("name", name);
    const auto is = [&](const char* kind) { return volume.object(kind).present(); };
    if (is("emptyDir")) volumes.empty_dirs.insert(name);
    if (is("emptyDir") || is("ephemeral")) volumes.own.insert(name);
    if (is("configMap") || is("secret") || is("projected") || is("downwardAPI") || is("image"))
      volumes.unwritable.insert(name);
  });
  return volumes;
}

struct Mount {
  std::string volume, path;
  bool read_only = false;
};

std::vector<Mount> read_mounts(ObjectReader& container) {
  std::vector<Mount> mounts;
  container.read_list("volumeMounts", [&](ObjectReader& it, int) {
    Mount& mount = mounts.emplace_back();
    it.read("name", mount.volume);
    it.read("mountPath", mount.path);
    it.read("readOnly", mount.read_only);
  });
  return mounts;
}

void count_writers(ObjectReader& spec, std::string_view list, Volumes& volumes) {
  spec.read_list(list, [&](ObjectReader& container, int) {
    Names written;
    for (Mount& mount : read_mounts(container))
      if (!mount.read_only) written.insert(std::move(mount.volume));
    for (const std::string& volume : written) ++volumes.writers[volume];
  });
}

void place_volumes(const std::vector<Mount>& mounts, const Volumes& volumes, PodContainer& out) {
  Names written;
  for (const Mount& mount : mounts)
    if (!mount.read_only) written.insert(mount.volume);
  for (const Mount& mount : mounts) {
    if (!mount.read_only && volumes.empty_dirs.contains(mount.volume)) out.empty_dirs.push_back(mount.path);
    if (volumes.unwritable.contains(mount.volume)) continue;
    out.has_volumes |= !mount.read_only;
    const auto writers = volumes.writers.find(mount.volume);
    const int others =
        (writers == volumes.writers.end() ? 0 : writers->second) - (written.contains(mount.volume) ? 1 : 0);
    if (others > 0 || !volumes.own.contains(mount.volume)) out.shared.push_back(mount.path);
  }
}

void read_containers(ObjectReader& spec, std::string_view list, bool init, const Volumes& volumes,
                     std::vector<PodContainer>& out) {
  spec.read_list(list, [&](ObjectReader& container, int) {
    PodContainer& to = out.emplace_back();
    std::string restart_policy;
    container.read("name", to.name);
    container.read("image", to.image);
    container.read("restartPolicy", restart_policy);
    to.init = init;
    to.restart_always = init && restart_policy == "Always";
    place_volumes(read_mounts(container), volumes, to);
  });
}

// " (exit code 137, OOMKilled)".
std::string how_it_ended(ObjectReader& terminated) {
  if (!terminated.present()) return "";
  int exit_code = 0;
  std::string reason;
  terminated.read("exitCode", exit_code);
  terminated.read("reason", reason);
  return " (exit code " + std::to_string(exit_code) + (reason.empty() ? "" : ", " + reason) + ")";
}

void read_container_state(ObjectReader state, ObjectReader last, PodContainer& out) {
  if (ObjectReader running = state.object("running"); running.present()) {
    out.running = true;
    running.read("startedAt", out.started);
  }
  ObjectReader end = state.object("terminated"), end_before = last.object("terminated");
  out.terminated = end.present();
  state.object("waiting").read("reason", out.waiting_reason);
  if (out.terminated) out.waiting_reason = "the container has ended" + how_it_ended(end);
  if (out.waiting_reason == "CrashLoopBackOff") out.waiting_reason += how_it_ended(end_before);
}

// A status without its container in the spec does not happen; it is skipped.
void read_statuses(ObjectReader& status, std::string_view list, std::vector<PodContainer>& out) {
  status.read_list(list, [&](ObjectReader& container, int) {
    std::string name;
    container.read("name", name);
    const auto to = std::ranges::find(out, name, &PodContainer::name);
    if (to == out.end()) return;
    container.read("containerID", to->container_id);
    container.read("imageID", to->image_id);
    container.read("restartCount", to->restarts);
    read_container_state(container.object("state"), container.object("lastState"), *to);
  });
}

}  // namespace

Result<Pod> decode_pod(const rapidjson::Value& json) {
  FieldErrors errors;
  Pod out;
  {
    ObjectReader object(&json, {}, errors);
    read_meta(object, out.meta);
    ObjectReader spec = object.object("spec");
    spec.read("nodeName", out.node);
    Volumes volumes = read_volumes(spec);
    for (const char* list : {"initContainers", "containers"}) count_writers(spec, list, volumes);
    read_containers(spec, "initContainers", true, volumes, out.containers);
    read_containers(spec, "containers", false, volumes, out.containers);
    ObjectReader status = object.object("status");
    status.read("phase", out.phase);
    read_statuses(status, "initContainerStatuses", out.containers);
    read_statuses(status, "containerStatuses", out.containers);
  }
  return decoded("Pod", std::move(out), errors);
}

Result<Workload> decode_workload(const rapidjson::Value& json) {
  FieldErrors errors;
  Workload out;
  {
    ObjectReader object(&json, {}, errors);
    object.read("apiVersion", out.api_version);
    object.read("kind", out.kind);
    read_meta(object, out.meta);
    ObjectReader spec = object.object("spec");
    ObjectReader selector = spec.object("selector");
    read_selector(selector, out.selector);
    spec.read("replicas", out.replicas);
    spec.object("template").object("metadata").read("annotations", out.template_annotations);
  }
  const auto revision = out.meta.annotations.find("deployment.kubernetes.io/revision");
  if (revision != out.meta.annotations.end()) out.revision = revision->second;
  const std::string kind = out.kind.empty() ? "Workload" : out.kind;
  return decoded(kind, std::move(out), errors);
}

}  // namespace live_update
