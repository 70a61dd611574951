#include <algorithm>

#include "core/api/meta_codec.h"
#include "core/api/signals.h"
#include "core/base/text.h"

namespace live_update {
namespace {

void read_target(ObjectReader target, TargetSpec& out) {
  if (ObjectReader workload = target.object("workload"); workload.present()) {
    WorkloadRef& to = out.workload.emplace();
    workload.require({"kind", "name"});
    workload.read("kind", to.kind);
    workload.read("name", to.name);
  }
  if (ObjectReader selector = target.object("selector"); selector.present()) {
    read_selector(selector, out.selector.emplace());
  }
  target.read("container", out.container);
  target.read("image", out.image);
}

void read_source(ObjectReader source, SourceSpec& out) {
  source.read("context", out.context);
  source.read("ignore", out.ignore);
  source.read("ignoreFile", out.ignore_file);
  source.read("credentials", out.credentials);
  source.read("onUnmatched", out.on_unmatched);
  source.read("deletes", out.deletes);
  source.read("maxDeletes", out.max_deletes, 0);
}

FallBackOn read_fall_back_on(ObjectReader reader) {
  FallBackOn out;
  reader.require({"paths"});
  reader.read("paths", out.paths);
  return out;
}

Sync read_sync(ObjectReader reader) {
  Sync out;
  reader.require({"from", "to"});
  reader.read("from", out.from);
  reader.read("to", out.to);
  return out;
}

Run read_run(ObjectReader reader) {
  Run out;
  reader.read("command", out.command);
  reader.read("shell", out.shell);
  reader.read("triggers", out.triggers);
  reader.read("when", out.when);
  reader.read("phase", out.phase);
  reader.read("onFailure", out.on_failure);
  reader.read("timeoutSeconds", out.timeout_seconds, 1);
  reader.read("workingDir", out.working_dir);
  return out;
}

RestartProcess read_restart_process(ObjectReader reader) {
  RestartProcess out;
  reader.read_word("signal", out.signal, allowed_signals());
  reader.read("graceSeconds", out.grace_seconds, 0);
  reader.read("aliveSeconds", out.alive_seconds, 0);
  return out;
}

Restart read_restart(ObjectReader reader) {
  Restart out;
  int found = 0;
  // The last one that is there wins; more than one is an error anyway.
  if (reader.find("container")) {
    reader.object("container");
    out.how = RestartContainer{};
    ++found;
  }
  if (reader.find("signal")) {
    RestartSignal signal;
    reader.read_word("signal", signal.signal, allowed_signals());
    out.how = signal;
    ++found;
  }
  if (reader.find("process")) {
    out.how = read_restart_process(reader.object("process"));
    ++found;
  }
  reader.read("triggers", out.triggers);
  if (found != 1 && reader.present()) {
    reader.wrong({},
                 "must have exactly one of process, signal and container: process for a supervised one, "
                 "signal to tell the program, container to start the container anew");
  }
  return out;
}

// A step that says nothing readable becomes an InitialSync, so that the others keep their index.
Step read_step(ObjectReader& reader) {
  Step out;
  int found = 0;
  auto one = [&](std::string_view name, auto read) {
    if (!reader.find(name)) return;
    if (++found == 1) out = read(reader.object(name));
  };
  one("initialSync", [](ObjectReader) { return InitialSync{}; });
  one("fallBackOn", read_fall_back_on);
  one("sync", read_sync);
  one("run", read_run);
  one("restart", read_restart);
  if (found != 1 && reader.present()) {
    reader.wrong({},
                 "must have exactly one of initialSync, fallBackOn, sync, run and restart: "
                 "write one list entry for each");
  }
  return out;
}

void read_fall_back(ObjectReader fall_back, FallBackSpec& out) {
  if (ObjectReader build = fall_back.object("build"); build.present()) {
    FallBackBuild& to = out.build.emplace();
    build.require({"command"});
    build.read("command", to.command);
    build.read("timeoutSeconds", to.timeout_seconds, 1);
  }
  fall_back.read("redeploy", out.redeploy);
}

void read_debounce(ObjectReader debounce, Debounce& out) {
  debounce.read("quietMilliseconds", out.quiet_milliseconds, 0, 60'000);
  debounce.read("maxMilliseconds", out.max_milliseconds, 0, 60'000);
}

void read_spec(ObjectReader spec, LiveUpdateSpec& out) {
  read_target(spec.object("target"), out.target);
  read_source(spec.object("source"), out.source);
  spec.read_list("steps", [&](ObjectReader& step, int) { out.steps.push_back(read_step(step)); });
  read_fall_back(spec.object("fallBack"), out.fall_back);
  read_debounce(spec.object("debounce"), out.debounce);
  spec.read("transport", out.transport);
  spec.read("suspend", out.suspend);
}

void read_condition(ObjectReader& condition, Condition& out) {
  std::string status;
  condition.read("type", out.type);
  condition.read("status", status);
  condition.read("reason", out.reason);
  condition.read("message", out.message);
  condition.read("observedGeneration", out.observed_generation);
  condition.read("lastTransitionTime", out.last_transition);
  out.status = status == "True";
}

// What ContainerStatus and OtherContainers have in common.
void read_standing(ObjectReader& reader, auto& out) {
  reader.read("appliedSequence", out.applied_sequence);
  reader.read("state", out.state);
  reader.read("transport", out.transport);
  reader.read("rules", out.rules);
  reader.read("olderRules", out.older_rules);
  reader.read("failedSteps", out.failed_steps);
}

void read_container(ObjectReader& container, ContainerStatus& out) {
  read_standing(container, out);
  container.read("replacePod", out.replace_pod);
  container.read("pod", out.pod);
  container.read("container", out.container);
  container.read("containerID", out.container_id);
  container.read("appliedAt", out.applied_at);
  container.read("message", out.message);
  container.read("lastMilliseconds", out.last_milliseconds);
}

void read_others(ObjectReader& others, OtherContainers& out) {
  read_standing(others, out);
  others.read("ids", out.ids);
}

void read_wanted(ObjectReader& file, WantedFile& out) {
  file.read("path", out.path);
  file.read("digest", out.digest);
}

void read_forgetting(ObjectReader forgetting, std::optional<ForgettingStatus>& out) {
  if (!forgetting.present()) return;
  out.emplace();
  forgetting.read("rules", out->rules);
  forgetting.read("images", out->images);
  forgetting.read_list("departed", [&](ObjectReader& it, int) {
    DepartedStatus& to = out->departed.emplace_back();
    it.read("confirmed", to.confirmed);
    it.read("newest", to.newest);
  });
}

// What of the files' history is known.
void read_known(ObjectReader& status, LiveUpdateStatus& out) {
  status.read("history", out.history);
  status.read("baseline", out.baseline);
  status.read("baselineRules", out.baseline_rules);
  read_forgetting(status.object("forgetting"), out.forgetting);
}

void read_status(ObjectReader status, LiveUpdateStatus& out) {
  status.read("uid", out.uid);
  status.read("observedGeneration", out.observed_generation);
  status.read("sequence", out.sequence);
  status.read_list("conditions",
                   [&](ObjectReader& c, int) { read_condition(c, out.conditions.emplace_back()); });
  if (ObjectReader session = status.object("session"); session.present()) {
    SessionStatus& to = out.session.emplace();
    session.read("holder", to.holder);
    session.read("user", to.user);
    session.read("since", to.since);
    session.read("lease", to.lease);
  }
  status.read("target", out.target);
  status.read("synced", out.synced);
  status.read("state", out.state);
  status.read("targets", out.targets);
  status.read("syncedTargets", out.synced_targets);
  status.read_list("containers",
                   [&](ObjectReader& c, int) { read_container(c, out.containers.emplace_back()); });
  status.read_list("others", [&](ObjectReader& it, int) { read_others(it, out.others.emplace_back()); });
  status.read("due", out.due);
  read_known(status, out);
  status.read_list("wanted", [&](ObjectReader& file, int) { read_wanted(file, out.wanted.emplace_back()); });
  if (ObjectReader fall_back = status.object("fallBack"); fall_back.present()) {
    FallBackStatus& to = out.fall_back.emplace();
    fall_back.read("reason", to.reason);
    fall_back.read("paths", to.paths);
    fall_back.read("otherPaths", to.other_paths);
    fall_back.read("changeSet", to.change_set);
    fall_back.read("phase", to.phase);
    fall_back.read("message", to.message);
  }
  status.read("unmatched", out.unmatched);
  if (ObjectReader last = status.object("lastApplied"); last.present()) {
    LastApplied& to = out.last_applied.emplace();
    last.read("sequence", to.sequence);
    read_milliseconds(last.object("milliseconds"), to.milliseconds);
  }
}

// Entries of subresources are the operator's.
void read_writer(ObjectReader meta, LastWriter& out) {
  meta.read_list("managedFields", [&](ObjectReader& entry, int) {
    LastWriter it;
    std::string subresource;
    entry.read("manager", it.manager);
    entry.read("time", it.time);
    entry.read("subresource", subresource);
    if (subresource.empty() && (out.manager.empty() || it.time >= out.time)) out = it;
  });
}

// As the API server names objects (RFC 1123 subdomain).
bool valid_name(std::string_view name) {
  auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  if (name.empty() || name.size() > 253 || !letter(name.front()) || !letter(name.back())) return false;
  for (std::size_t i = 0; i < name.size(); ++i) {
    const bool dot = name[i] == '.';
    if (!letter(name[i]) && name[i] != '-' && !dot) return false;
    if (dot && (!letter(name[i - 1]) || !letter(name[i + 1]))) return false;
  }
  return true;
}

void read_name(ObjectReader& object, LiveUpdate& out) {
  read_meta(object, out.meta);
  const rapidjson::Value* meta = object.find("metadata");
  if (!meta || !meta->IsObject() || !meta->HasMember("name")) {
    object.wrong("metadata.name", "is missing: give the object a name");
  } else if (!valid_name(out.meta.name) && (*meta)["name"].IsString()) {
    object.wrong("metadata.name", "must be lower-case letters, digits, \"-\" and \".\", as in \"web\"");
  } else if (out.meta.name.size() > 63) {
    object.wrong("metadata.name",
                 "must be at most 63 characters, as it becomes a label value: choose a shorter name");
  }
}

// False if it is of another kind: then there is no sense in complaining about its fields.
bool read_kind(ObjectReader& object) {
  std::string api_version, kind;
  object.read("apiVersion", api_version);
  object.read("kind", kind);
  auto check = [&](std::string_view field, std::string_view is, std::string_view wanted) {
    if (is == wanted) return;
    const std::string what = is.empty() ? "is missing" : "is " + to_utf8(is.substr(0, 100));
    object.wrong(field, what + ", must be " + std::string(wanted));
  };
  check("apiVersion", api_version, kApiVersion);
  check("kind", kind, "LiveUpdate");
  const bool foreign_kind = !kind.empty() && kind != "LiveUpdate";
  return !foreign_kind && (api_version.empty() || api_version.starts_with(std::string(kApiGroup) + "/"));
}

}  // namespace

// A request's body has no metadata.uid.
bool has_status_of_another(const LiveUpdate& live_update) {
  const std::string &uid = live_update.meta.uid, &told = live_update.status.uid;
  return !uid.empty() && !told.empty() && told != uid;
}

Result<LiveUpdate> decode_live_update(const rapidjson::Value& json) {
  FieldErrors errors;
  LiveUpdate out;
  {
    ObjectReader object(&json, {}, errors);
    read_meta(object, out.meta);
    read_writer(object.object("metadata"), out.writer);
    read_spec(object.object("spec"), out.spec);
    read_status(object.object("status"), out.status);
    if (has_status_of_another(out)) out.status = {.uid = out.status.uid};
  }
  return decoded("LiveUpdate", std::move(out), errors);
}

StrictLiveUpdate decode_live_update_strict(const rapidjson::Value& json) {
  FieldErrors errors{Strictness::Strict, {}};
  StrictLiveUpdate out;
  {
    ObjectReader object(&json, {}, errors);
    const bool ours = !object.present() || read_kind(object);
    if (!ours) errors.strictness = Strictness::Lenient;
    if (ours && object.present()) read_name(object, out.value);
    if (ours && object.present() && !object.find("spec")) {
      object.wrong("spec", "is missing: it says what is synced and where to");
    }
    if (ours) read_spec(object.object("spec"), out.value.spec);
    object.skip({"status"});
  }
  out.errors = std::move(errors.list);
  return out;
}

std::vector<FieldError> without_consequences(const std::vector<FieldError>& unread,
                                             std::vector<FieldError> rules) {
  auto below = [](std::string_view path, std::string_view above) {
    if (!path.starts_with(above)) return false;
    return path.size() == above.size() || path[above.size()] == '.' || path[above.size()] == '[';
  };
  std::erase_if(rules, [&](const FieldError& rule) {
    return std::ranges::any_of(unread, [&](const FieldError& error) {
      return below(rule.field, error.field) || below(error.field, rule.field);
    });
  });
  return rules;
}

}  // namespace live_update
