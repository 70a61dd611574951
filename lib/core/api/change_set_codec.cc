#include <utility>

#include "core/api/meta_codec.h"
#include "core/base/base64.h"
#include "core/base/text.h"

namespace live_update {
namespace {

// For a ChangeSet written by hand that gives none.
std::uint32_t standard_mode(const Change& change) {
  if (change.op == Op::Delete || change.type == FileType::Symlink) return 0;
  return change.type == FileType::Directory ? 0755 : 0644;
}

void read_change(ObjectReader& change, Change& out) {
  change.read("path", out.path);
  change.read("op", out.op);
  change.read("type", out.type);
  out.mode = standard_mode(out);
  change.read("mode", out.mode);
  change.read("mtime", out.mtime);
  change.read("size", out.size);
  change.read("digest", out.digest);
  change.read("target", out.target);
  change.read("encoding", out.encoding);
  change.read("offset", out.offset);
  change.read("stamp", out.stamp);
  change.read("new", out.is_new);
  const rapidjson::Value* content = change.find("content");
  if (!content) return;
  if (!content->IsString()) return change.wrong("content", "must be base64, is " + describe(*content));
  auto bytes = decode_base64({content->GetString(), content->GetStringLength()});
  if (!bytes) return change.wrong("content", bytes.error().message);
  out.content = std::make_shared<const std::string>(std::move(*bytes));
}

void read_unknown(ObjectReader& unknown, UnknownPath& out) {
  unknown.read("path", out.path);
  unknown.read("below", out.below);
}

void read_ignores(ObjectReader ignores, std::optional<HostIgnores>& out) {
  if (!ignores.present()) return;
  out.emplace();
  ignores.read("patterns", out->patterns);
  ignores.read("incomplete", out->incomplete);
}

void read_checkpoint(ObjectReader& checkpoint, CheckpointOf& out) {
  checkpoint.read("snapshot", out.snapshot);
  checkpoint.read("reach", out.reach);
  read_ignores(checkpoint.object("ignores"), out.ignores);
  checkpoint.read("forgotten", out.forgotten);
}

void read_build(ObjectReader& build, BuildResult& out) {
  build.read("succeeded", out.succeeded);
  build.read("startedAfter", out.started_after);
  build.read("exitCode", out.exit_code);
  build.read("image", out.image);
  build.read("output", out.output);
}

// A list, its entries, and their fields; and far more fields than an entry has. Nobody looks into the string
// before us: it is not unfolded any further.
constexpr JsonLimits kPacked{.depth = 3, .objects = kMostChanges + 1, .values = 16 * kMostChanges};

// The same list of changes as one string: see packs().
void read_packed(ObjectReader& spec, std::vector<Change>& out, FieldErrors& errors) {
  const rapidjson::Value* text = spec.find("packed");
  if (!text) return;
  if (!text->IsString()) return spec.wrong("packed", "must be a string, is " + describe(*text));
  if (text->GetStringLength() == 0) return;
  const auto json = parse_json({text->GetString(), text->GetStringLength()}, kPacked);
  if (!json)
    return spec.wrong("packed",
                      "must be a JSON object with the list \"changes\" of at most 4096 entries: it " +
                          json.error().message);
  ObjectReader packed(&*json, FieldPath{nullptr, "spec.packed", -1}, errors);
  if (const auto* list = packed.find("changes"); list && list->IsArray())
    out.reserve(out.size() + list->Size());
  packed.read_list("changes", [&](ObjectReader& c, int) { read_change(c, out.emplace_back()); });
}

// All but what it says of files.
void read_place(ObjectReader& spec, ChangeSetSpec& out) {
  spec.read("liveUpdate", out.live_update);
  spec.read("session", out.session);
  spec.read("user", out.user);
  spec.read("sequence", out.sequence);
  spec.read("type", out.type);
  spec.read("observedAt", out.observed_at);
  spec.read("postedAt", out.posted_at);
  spec.read("part", out.part);
  spec.read("parts", out.parts);
  spec.read("reach", out.reach);
  read_ignores(spec.object("ignores"), out.ignores);
  if (ObjectReader it = spec.object("checkpoint"); it.present())
    read_checkpoint(it, out.checkpoint.emplace());
}

void read_spec(ObjectReader spec, ChangeSetSpec& out, FieldErrors& errors) {
  read_place(spec, out);
  const rapidjson::Value* changes = spec.find("changes");
  if (changes && changes->IsArray() && changes->Size() > kMostChanges)
    return spec.wrong("changes", "has more than 4096 entries: split them over parts");
  std::vector<Change> all;
  if (changes && changes->IsArray()) all.reserve(changes->Size());
  spec.read_list("changes", [&](ObjectReader& c, int) { read_change(c, all.emplace_back()); });
  read_packed(spec, all, errors);
  out.changes = std::move(all);
  spec.read_list("unknown", [&](ObjectReader& u, int) { read_unknown(u, out.unknown.emplace_back()); });
  if (ObjectReader build = spec.object("build"); build.present()) read_build(build, out.build.emplace());
}

void read_status(ObjectReader status, ChangeSetStatus& out) {
  status.read("phase", out.phase);
  status.read("containers", out.containers);
  status.read("targets", out.targets);
  status.read("message", out.message);
  read_milliseconds(status.object("milliseconds"), out.milliseconds);
  status.read_list("runs", [&](ObjectReader& run, int) {
    RunOutput& to = out.runs.emplace_back();
    run.read("step", to.step);
    run.read("pod", to.pod);
    run.read("line", to.line);
    run.read("text", to.text);
  });
}

void write_change(JsonWriter& json, const Change& change) {
  const Change standard;
  json.object([&] {
    json.field("path", change.path);
    json.field("op", change.op);
    json.field("type", change.type);
    if (change.op == Op::Write && change.type != FileType::Symlink) json.field("mode", change.mode);
    json.field_if("mtime", change.mtime);
    if (change.op == Op::Write && change.type == FileType::File) json.field("size", change.size);
    json.field_if("digest", change.digest);
    json.field_if("target", change.target);
    json.field_unless("encoding", change.encoding, standard.encoding);
    json.field_unless("offset", change.offset, standard.offset);
    json.field_unless("stamp", change.stamp, standard.stamp);
    json.field_unless("new", change.is_new, false);
    if (change.content) json.field("content", encode_base64(*change.content));
  });
}

void write_ignores(JsonWriter& json, const std::optional<HostIgnores>& ignores) {
  if (!ignores) return;
  json.object("ignores", [&] {
    json.field("patterns", ignores->patterns);
    json.field_if("incomplete", ignores->incomplete);
  });
}

void write_checkpoint(JsonWriter& json, const CheckpointOf& checkpoint) {
  json.object("checkpoint", [&] {
    json.field("snapshot", checkpoint.snapshot);
    json.field_if("reach", checkpoint.reach);
    write_ignores(json, checkpoint.ignores);
    json.field_unless("forgotten", checkpoint.forgotten, std::int64_t{0});
  });
}

void write_build(JsonWriter& json, const BuildResult& build) {
  json.object("build", [&] {
    json.field("succeeded", build.succeeded);
    json.field("startedAfter", build.started_after);
    json.field("exitCode", build.exit_code);
    json.field_if("image", build.image);
    json.field_if("output", status_message(build.output));
  });
}

void write_unknown(JsonWriter& json, const UnknownPath& unknown) {
  json.object([&] {
    json.field("path", unknown.path);
    json.field_unless("below", unknown.below, false);
  });
}

void write_changes(JsonWriter& json, const std::vector<Change>& changes) {
  json.list("changes", changes, [&](const Change& change) { write_change(json, change); });
}

void write_spec(JsonWriter& json, const ChangeSetSpec& spec) {
  json.object("spec", [&] {
    json.field("liveUpdate", spec.live_update);
    json.field("session", spec.session);
    json.field("sequence", spec.sequence);
    json.field("type", spec.type);
    json.field_if("user", spec.user);
    json.field_if("observedAt", spec.observed_at);
    json.field_if("postedAt", spec.posted_at);
    json.field_unless("part", spec.part, 1);
    json.field_unless("parts", spec.parts, 1);
    json.field_if("reach", spec.reach);
    write_ignores(json, spec.ignores);
    if (spec.checkpoint) write_checkpoint(json, *spec.checkpoint);
    // What an API server does with a list costs it 0.4 ms for the first entry and 0.3 for each more, at each write of
    // the object; a string costs next to nothing.
    if (!spec.changes.empty()) {
      JsonWriter packed;
      packed.object([&] { write_changes(packed, spec.changes); });
      json.field("packed", packed.take());
    }
    if (!spec.unknown.empty())
      json.list("unknown", spec.unknown, [&](const UnknownPath& it) { write_unknown(json, it); });
    if (spec.build) write_build(json, *spec.build);
  });
}

void write_run(JsonWriter& json, const RunOutput& run) {
  json.object([&] {
    json.field("step", run.step);
    json.field_if("pod", run.pod);
    json.field("line", run.line);
    json.field_if("text", run.text);
  });
}

void write_status(JsonWriter& json, const ChangeSetStatus& status) {
  json.object("status", [&] {
    json.field_if("phase", status.phase);
    json.field("containers", status.containers);
    json.field("targets", status.targets);
    write_milliseconds(json, status.milliseconds);
    json.field("message", status_message(status.message));
    if (!status.runs.empty())
      json.list("runs", status.runs, [&](const RunOutput& run) { write_run(json, run); });
  });
}

}  // namespace

Result<ChangeSet> decode_change_set(const rapidjson::Value& json) {
  FieldErrors errors;
  ChangeSet out;
  {
    ObjectReader object(&json, {}, errors);
    read_meta(object, out.meta);
    read_spec(object.object("spec"), out.spec, errors);
    read_status(object.object("status"), out.status);
  }
  return decoded("ChangeSet", std::move(out), errors);
}

ChangeSet decode_flawed_change_set(const rapidjson::Value& json) {
  auto whole = decode_change_set(json);
  if (whole) return std::move(*whole);
  FieldErrors ignored;
  ChangeSet out;
  ObjectReader object(&json, {}, ignored);
  read_meta(object, out.meta);
  ObjectReader spec = object.object("spec");
  read_place(spec, out.spec);
  read_status(object.object("status"), out.status);
  out.flaw = std::move(whole.error().message);
  return out;
}

ChangeSetStatus decode_change_set_status(const rapidjson::Value& json) {
  FieldErrors ignored;
  ChangeSetStatus out;
  ObjectReader object(&json, {}, ignored);
  read_status(object.object("status"), out);
  return out;
}

std::string encode_change_set(const ChangeSet& change_set) {
  JsonWriter json;
  json.object([&] {
    write_type(json, "ChangeSet");
    write_meta(json, change_set.meta);
    write_spec(json, change_set.spec);
    if (change_set.status != ChangeSetStatus()) write_status(json, change_set.status);
  });
  return json.take();
}

std::string encode_change_set_status(const ObjectMeta& meta, const ChangeSetStatus& status) {
  JsonWriter json;
  json.object([&] {
    write_type(json, "ChangeSet");
    write_identity(json, meta);
    write_status(json, status);
  });
  return json.take();
}

}  // namespace live_update
