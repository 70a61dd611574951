#include <algorithm>
#include <set>

#include "core/api/meta_codec.h"

namespace live_update {
namespace {

using Names = std::set<std::string>;

Names read_empty_dirs(ObjectReader& spec) {
  Names names;
  spec.read_list("volumes", [&](ObjectReader& volume, int) {
    std::string name;
    volume.read("name", name);
    if (volume.object("emptyDir").present()) names.insert(name);
  });
  return names;
}

void read_mounts(ObjectReader& container, const Names& empty_dirs, std::vector<std::string>& out) {
  container.read_list("volumeMounts", [&](ObjectReader& mount, int) {
    std::string name, path;
    bool read_only = false;
    mount.read("name", name);
    mount.read("mountPath", path);
    mount.read("readOnly", read_only);
    if (!read_only && empty_dirs.contains(name)) out.push_back(path);
  });
}

void read_containers(ObjectReader& spec, std::string_view list, bool init, const Names& empty_dirs,
                     std::vector<PodContainer>& out) {
  spec.read_list(list, [&](ObjectReader& container, int) {
    PodContainer& to = out.emplace_back();
    std::string restart_policy;
    container.read("name", to.name);
    container.read("image", to.image);
    container.read("restartPolicy", restart_policy);
    to.init = init;
    to.restart_always = init && restart_policy == "Always";
    read_mounts(container, empty_dirs, to.empty_dirs);
  });
}

void read_container_state(ObjectReader state, PodContainer& out) {
  if (ObjectReader running = state.object("running"); running.present()) {
    out.running = true;
    running.read("startedAt", out.started);
  }
  out.terminated = state.object("terminated").present();
  state.object("waiting").read("reason", out.waiting_reason);
}

// A status without its container in the spec does not happen; it is skipped.
void read_statuses(ObjectReader& status, std::string_view list, std::vector<PodContainer>& out) {
  status.read_list(list, [&](ObjectReader& container, int) {
    std::string name;
    container.read("name", name);
    const auto to = std::ranges::find(out, name, &PodContainer::name);
    if (to == out.end()) return;
    container.read("containerID", to->container_id);
    container.read("restartCount", to->restarts);
    read_container_state(container.object("state"), *to);
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
    const Names empty_dirs = read_empty_dirs(spec);
    read_containers(spec, "initContainers", true, empty_dirs, out.containers);
    read_containers(spec, "containers", false, empty_dirs, out.containers);
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
