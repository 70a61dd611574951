#include "core/api/meta_codec.h"
#include "core/base/text.h"

namespace live_update {
namespace {

struct StepWriter {
  JsonWriter& json;

  void operator()(const InitialSync&) const {
    json.object("initialSync", [] {});
  }
  void operator()(const FallBackOn& step) const {
    json.object("fallBackOn", [&] { json.field("paths", step.paths); });
  }
  void operator()(const Sync& step) const {
    json.object("sync", [&] {
      json.field("from", step.from);
      json.field("to", step.to);
    });
  }
  void operator()(const Run& step) const {
    const Run standard;
    json.object("run", [&] {
      json.field_if("command", step.command);
      json.field_if("shell", step.shell);
      json.field_if("triggers", step.triggers);
      json.field_unless("when", step.when, standard.when);
      json.field_unless("phase", step.phase, standard.phase);
      json.field_unless("onFailure", step.on_failure, standard.on_failure);
      json.field_unless("timeoutSeconds", step.timeout_seconds, standard.timeout_seconds);
      json.field_if("workingDir", step.working_dir);
    });
  }
  void operator()(const Restart& step) const {
    json.object("restart", [&] {
      std::visit(*this, step.how);
      json.field_if("triggers", step.triggers);
    });
  }
  void operator()(const RestartProcess& how) const {
    const RestartProcess standard;
    json.object("process", [&] {
      json.field_unless("signal", how.signal, standard.signal);
      json.field_unless("graceSeconds", how.grace_seconds, standard.grace_seconds);
      json.field_unless("aliveSeconds", how.alive_seconds, standard.alive_seconds);
    });
  }
  void operator()(const RestartSignal& how) const { json.field("signal", how.signal); }
  void operator()(const RestartContainer&) const {
    json.object("container", [] {});
  }
};

void write_target(JsonWriter& json, const TargetSpec& target) {
  json.object("target", [&] {
    if (target.workload) {
      json.object("workload", [&] {
        json.field("kind", target.workload->kind);
        json.field("name", target.workload->name);
      });
    }
    if (target.selector) write_selector(json, *target.selector);
    json.field_if("container", target.container);
    json.field_if("image", target.image);
  });
}

void write_source(JsonWriter& json, const SourceSpec& source) {
  const SourceSpec standard;
  json.object("source", [&] {
    json.field_if("context", source.context);
    json.field_if("ignore", source.ignore);
    json.field_if("ignoreFile", source.ignore_file);
    json.field_if("credentials", source.credentials);
    json.field_unless("onUnmatched", source.on_unmatched, standard.on_unmatched);
    json.field_unless("deletes", source.deletes, standard.deletes);
    json.field_unless("maxDeletes", source.max_deletes, standard.max_deletes);
  });
}

void write_fall_back(JsonWriter& json, const FallBackSpec& fall_back) {
  json.object("fallBack", [&] {
    if (fall_back.build) {
      json.object("build", [&] {
        json.field("command", fall_back.build->command);
        json.field_unless("timeoutSeconds", fall_back.build->timeout_seconds,
                          FallBackBuild().timeout_seconds);
      });
    }
    json.field_unless("redeploy", fall_back.redeploy, Redeploy::Restart);
  });
}

void write_debounce(JsonWriter& json, const Debounce& debounce) {
  json.object("debounce", [&] {
    json.field("quietMilliseconds", debounce.quiet_milliseconds);
    json.field("maxMilliseconds", debounce.max_milliseconds);
  });
}

void write_spec(JsonWriter& json, const LiveUpdateSpec& spec) {
  const LiveUpdateSpec standard;
  json.object("spec", [&] {
    write_target(json, spec.target);
    if (spec.source != standard.source) write_source(json, spec.source);
    json.list("steps", spec.steps,
              [&](const Step& step) { json.object([&] { std::visit(StepWriter{json}, step); }); });
    if (spec.fall_back != standard.fall_back) write_fall_back(json, spec.fall_back);
    if (spec.debounce != standard.debounce) write_debounce(json, spec.debounce);
    json.field_unless("transport", spec.transport, standard.transport);
    json.field_unless("suspend", spec.suspend, standard.suspend);
  });
}

void write_condition(JsonWriter& json, const Condition& condition) {
  json.object([&] {
    json.field("type", condition.type);
    json.field("status", condition.status ? "True" : "False");
    json.field("reason", condition.reason);
    json.field("message", status_message(condition.message));
    json.field("observedGeneration", condition.observed_generation);
    json.field_if("lastTransitionTime", condition.last_transition);
  });
}

void write_container(JsonWriter& json, const ContainerStatus& container) {
  json.object([&] {
    json.field("pod", container.pod);
    json.field("container", container.container);
    json.field("containerID", container.container_id);
    json.field("appliedSequence", container.applied_sequence);
    json.field_if("appliedAt", container.applied_at);
    json.field("state", container.state);
    json.field_if("transport", container.transport);
    json.field_if("message", status_message(container.message));
    json.field("lastMilliseconds", container.last_milliseconds);
    json.field_if("rules", container.rules);
    json.field_unless("olderRules", container.older_rules, false);
    json.field_unless("replacePod", container.replace_pod, false);
    if (!container.failed_steps.empty()) json.field("failedSteps", container.failed_steps);
  });
}

void write_others(JsonWriter& json, const OtherContainers& others) {
  json.object([&] {
    json.field("appliedSequence", others.applied_sequence);
    json.field("state", others.state);
    json.field_if("transport", others.transport);
    json.field_if("rules", others.rules);
    json.field_unless("olderRules", others.older_rules, false);
    if (!others.failed_steps.empty()) json.field("failedSteps", others.failed_steps);
    json.field("ids", others.ids);
  });
}

void write_status_fall_back(JsonWriter& json, const FallBackStatus& fall_back) {
  json.object("fallBack", [&] {
    json.field("reason", fall_back.reason);
    json.field("paths", fall_back.paths);
    json.field("otherPaths", fall_back.other_paths);
    json.field_if("changeSet", fall_back.change_set);
    json.field("phase", fall_back.phase);
    json.field_if("message", status_message(fall_back.message));
  });
}

void write_session(JsonWriter& json, const SessionStatus& session) {
  json.object("session", [&] {
    json.field("holder", session.holder);
    json.field_if("user", session.user);
    json.field_if("since", session.since);
    json.field_if("lease", session.lease);
  });
}

void write_last_applied(JsonWriter& json, const LastApplied& last) {
  json.object("lastApplied", [&] {
    json.field("sequence", last.sequence);
    write_milliseconds(json, last.milliseconds);
  });
}

void write_forgetting(JsonWriter& json, const ForgettingStatus& forgetting) {
  json.object("forgetting", [&] {
    json.field("rules", forgetting.rules);
    json.field("images", forgetting.images);
    json.list("departed", forgetting.departed, [&](const DepartedStatus& it) {
      json.object([&] {
        json.field("confirmed", it.confirmed);
        json.field("newest", it.newest);
      });
    });
  });
}

// Zeros are written: with server-side apply a field left out is a field given up.
void write_status(JsonWriter& json, const LiveUpdateStatus& status) {
  json.object("status", [&] {
    json.field_if("uid", status.uid);
    json.field("observedGeneration", status.observed_generation);
    json.field("sequence", status.sequence);
    json.list("conditions", status.conditions, [&](const Condition& c) { write_condition(json, c); });
    if (status.session) write_session(json, *status.session);
    json.field("target", status.target);
    json.field("synced", status.synced);
    json.field("state", status.state);
    json.field("targets", status.targets);
    json.field("syncedTargets", status.synced_targets);
    json.list("containers", status.containers, [&](const ContainerStatus& c) { write_container(json, c); });
    if (!status.wanted.empty())
      json.list("wanted", status.wanted, [&](const WantedFile& it) {
        json.object([&] {
          json.field("path", it.path);
          json.field("digest", it.digest);
        });
      });
    if (!status.others.empty())
      json.list("others", status.others, [&](const OtherContainers& it) { write_others(json, it); });
    json.field_if("history", status.history);
    json.field_if("baseline", status.baseline);
    json.field_if("baselineRules", status.baseline_rules);
    if (status.forgetting) write_forgetting(json, *status.forgetting);
    if (!status.due.empty()) json.field("due", status.due);
    if (status.fall_back) write_status_fall_back(json, *status.fall_back);
    json.field("unmatched", status.unmatched);
    if (status.last_applied) write_last_applied(json, *status.last_applied);
  });
}

}  // namespace

std::string encode_live_update(const LiveUpdate& live_update) {
  JsonWriter json;
  json.object([&] {
    write_type(json, "LiveUpdate");
    write_meta(json, live_update.meta);
    write_spec(json, live_update.spec);
    if (live_update.status != LiveUpdateStatus()) write_status(json, live_update.status);
  });
  return json.take();
}

std::string encode_live_update_status(const ObjectMeta& meta, const LiveUpdateStatus& status) {
  JsonWriter json;
  json.object([&] {
    write_type(json, "LiveUpdate");
    write_identity(json, meta);
    write_status(json, status);
  });
  return json.take();
}

}  // namespace live_update
