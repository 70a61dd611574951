#include "operator/requests.h"

#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include <functional>

#include "core/api/codec.h"
#include "core/base/text.h"
#include "core/base/time.h"

namespace live_update {

namespace {

constexpr std::string_view kApply = "application/apply-patch+yaml", kMerge = "application/merge-patch+json",
                           kJson = "application/json";

std::string resource_path(const std::string& ns, std::string_view resource, const std::string& name) {
  return "/apis/" + std::string(kApiVersion) + "/namespaces/" + ns + "/" + std::string(resource) + "/" + name;
}

Request apply(std::string path, std::string body) {
  return {Method::Patch,
          std::move(path),
          {{"fieldManager", std::string(kFieldManager)}, {"force", "true"}},
          std::string(kApply),
          std::move(body)};
}

// A flat object of strings; nesting is written by hand around it.
class Json {
 public:
  Json& begin() { return writer_.StartObject(), *this; }
  Json& begin(std::string_view key) { return name(key), begin(); }
  Json& end() { return writer_.EndObject(), *this; }
  Json& add(std::string_view key, std::string_view value) {
    name(key);
    writer_.String(value.data(), static_cast<rapidjson::SizeType>(value.size()));
    return *this;
  }
  Json& add(std::string_view key, int value) { return name(key), writer_.Int(value), *this; }
  std::string text() const { return {buffer_.GetString(), buffer_.GetSize()}; }

 private:
  void name(std::string_view key) { writer_.Key(key.data(), static_cast<rapidjson::SizeType>(key.size())); }
  rapidjson::StringBuffer buffer_;
  rapidjson::Writer<rapidjson::StringBuffer> writer_{buffer_};
};

// An object of this name that was made later stays: the answer is Conflict.
Request delete_only(std::string path, const std::string& uid) {
  Json body;
  body.begin().add("kind", "DeleteOptions").add("apiVersion", "v1");
  body.begin("preconditions").add("uid", uid).end().end();
  return {Method::Delete, std::move(path), {}, std::string(kJson), body.text()};
}

std::string start_of(const std::string& text, std::size_t most) {
  if (text.size() <= most) return text;
  while (most > 0 && (static_cast<unsigned char>(text[most]) & 0xc0) == 0x80) --most;
  return text.substr(0, most);
}

std::string hex(std::size_t value) {
  constexpr char digits[] = "0123456789abcdef";
  std::string text;
  for (int shift = 60; shift >= 0; shift -= 4) text += digits[(value >> shift) & 15];
  return text;
}

}  // namespace

Request apply_status(const ObjectMeta& live_update, const LiveUpdateStatus& status) {
  return apply(resource_path(live_update.ns, "liveupdates", live_update.name) + "/status",
               encode_live_update_status(live_update, status));
}

Request apply_status(const ObjectMeta& change_set, const ChangeSetStatus& status) {
  return apply(resource_path(change_set.ns, "changesets", change_set.name) + "/status",
               encode_change_set_status(change_set, status));
}

Request create_change_set(const ObjectMeta& live_update, const ChangeSetSpec& spec) {
  ChangeSet change_set;
  change_set.meta.ns = live_update.ns;
  change_set.meta.name = change_set_name(spec.live_update, spec.session, spec.sequence);
  change_set.meta.owners = {{std::string(kApiVersion), "LiveUpdate", live_update.name, live_update.uid}};
  change_set.spec = spec;
  return {Method::Post,
          "/apis/" + std::string(kApiVersion) + "/namespaces/" + live_update.ns + "/changesets",
          {{"fieldManager", std::string(kFieldManager)}},
          std::string(kJson),
          encode_change_set(change_set)};
}

Request delete_change_set(const ObjectMeta& change_set) {
  return delete_only(resource_path(change_set.ns, "changesets", change_set.name), change_set.uid);
}

Request delete_pod(const std::string& ns, const PodToDelete& pod) {
  return delete_only("/api/v1/namespaces/" + ns + "/pods/" + pod.name, pod.uid);
}

Request get_live_update(const ObjectKey& key) {
  return {.path = resource_path(key.ns, "liveupdates", key.name)};
}

bool is_refusal(const Error& error) {
  switch (error.kind) {
    case ErrorKind::Unavailable:
    case ErrorKind::Timeout:
    case ErrorKind::Cancelled:
    case ErrorKind::Internal:
      return false;
    default:
      return true;
  }
}

Request list_pods(const std::string& ns) { return {.path = "/api/v1/namespaces/" + ns + "/pods"}; }

Result<std::vector<std::string>> uids_of(const std::string& list) {
  const auto json = parse_json(list);
  if (!json) return std::unexpected(json.error());
  const auto items = json->IsObject() ? json->FindMember("items") : rapidjson::Value::ConstMemberIterator();
  if (!json->IsObject() || items == json->MemberEnd() || !items->value.IsArray())
    return fail(ErrorKind::Invalid, "the API server's answer is no list");
  std::vector<std::string> uids;
  for (const auto& item : items->value.GetArray()) uids.push_back(decode_meta(item).uid);
  return uids;
}

Result<Request> restart_workload(const ObjectMeta& live_update, const WorkloadRef& workload,
                                 std::int64_t sequence) {
  std::string resource;
  if (workload.kind == "Deployment") resource = "deployments";
  if (workload.kind == "StatefulSet") resource = "statefulsets";
  if (workload.kind == "DaemonSet") resource = "daemonsets";
  if (resource.empty())
    return fail(
        ErrorKind::Invalid,
        workload.kind + "/" + workload.name +
            " cannot be restarted: only a Deployment, StatefulSet or DaemonSet replaces its pods; deploy it "
            "again yourself, or set spec.fallBack.redeploy to None");
  Json body;
  body.begin().begin("spec").begin("template").begin("metadata").begin("annotations");
  body.add(redeploy_annotation(live_update.name), redeploy_value(live_update, sequence));
  body.end().end().end().end().end();
  return Request{Method::Patch,
                 "/apis/apps/v1/namespaces/" + live_update.ns + "/" + resource + "/" + workload.name,
                 {{"fieldManager", std::string(kFieldManager)}},
                 std::string(kMerge),
                 body.text()};
}

Request create_event(const ObjectMeta& live_update, const EventNote& note, const std::string& instance,
                     Time now) {
  const std::string time = format_time(std::chrono::floor<std::chrono::seconds>(now));
  const std::string what = note.about.empty() ? note.message + time : live_update.uid + note.about;
  const std::string name = live_update.name + "." + hex(std::hash<std::string>{}(note.reason + what));
  Json body;
  body.begin().add("apiVersion", "v1").add("kind", "Event");
  body.begin("metadata").add("name", name).add("namespace", live_update.ns).end();
  body.begin("involvedObject").add("apiVersion", kApiVersion).add("kind", "LiveUpdate");
  body.add("namespace", live_update.ns).add("name", live_update.name).add("uid", live_update.uid).end();
  body.add("reason", note.reason)
      .add("message", printable(start_of(note.message, 1000)))
      .add("type", note.warning ? "Warning" : "Normal");
  body.add("firstTimestamp", time.substr(0, 19) + "Z")
      .add("lastTimestamp", time.substr(0, 19) + "Z")
      .add("count", 1);
  body.begin("source").add("component", kFieldManager).add("host", instance).end();
  body.add("reportingComponent", kFieldManager).add("reportingInstance", instance).end();
  return {
      Method::Post, "/api/v1/namespaces/" + live_update.ns + "/events", {}, std::string(kJson), body.text()};
}

}  // namespace live_update
