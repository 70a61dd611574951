#include "core/api/meta_codec.h"

namespace live_update {

void read_meta(ObjectReader& object, ObjectMeta& out) {
  ObjectReader meta = object.object("metadata");
  meta.read("name", out.name);
  meta.read("namespace", out.ns);
  meta.read("uid", out.uid);
  meta.read("resourceVersion", out.resource_version);
  meta.read("generation", out.generation);
  meta.read("creationTimestamp", out.created);
  meta.read("deletionTimestamp", out.deleted);
  meta.read("labels", out.labels);
  meta.read("annotations", out.annotations);
  meta.read_list("ownerReferences", [&](ObjectReader& owner, int) {
    ObjectMeta::OwnerReference& to = out.owners.emplace_back();
    owner.read("apiVersion", to.api_version);
    owner.read("kind", to.kind);
    owner.read("name", to.name);
    owner.read("uid", to.uid);
    owner.read("controller", to.controller);
    owner.skip({"blockOwnerDeletion"});
  });
  meta.skip({"generateName", "selfLink", "deletionGracePeriodSeconds", "finalizers", "managedFields"});
}

ObjectMeta decode_meta(const rapidjson::Value& object) {
  FieldErrors errors;
  ObjectMeta meta;
  ObjectReader reader(&object, {}, errors);
  read_meta(reader, meta);
  return meta;
}

void read_selector(ObjectReader& selector, LabelSelector& out) {
  selector.read("matchLabels", out.match_labels);
  selector.read_list("matchExpressions", [&](ObjectReader& expression, int) {
    LabelSelector::Expression& to = out.match_expressions.emplace_back();
    expression.read("key", to.key);
    expression.require({"key", "operator"});
    expression.read_word("operator", to.op, {"In", "NotIn", "Exists", "DoesNotExist"});
    expression.read("values", to.values);
  });
}

void write_type(JsonWriter& json, std::string_view kind) {
  json.field("apiVersion", kApiVersion);
  json.field("kind", kind);
}

void write_identity(JsonWriter& json, const ObjectMeta& meta) {
  json.object("metadata", [&] {
    json.field("name", meta.name);
    json.field_if("namespace", meta.ns);
  });
}

void write_meta(JsonWriter& json, const ObjectMeta& meta) {
  json.object("metadata", [&] {
    json.field("name", meta.name);
    json.field_if("namespace", meta.ns);
    json.field_if("uid", meta.uid);
    json.field_if("resourceVersion", meta.resource_version);
    json.field_unless("generation", meta.generation, std::int64_t{0});
    json.field_if("creationTimestamp", meta.created);
    json.field_if("deletionTimestamp", meta.deleted);
    if (!meta.labels.empty()) json.field("labels", meta.labels);
    if (!meta.annotations.empty()) json.field("annotations", meta.annotations);
    if (meta.owners.empty()) return;
    json.list("ownerReferences", meta.owners, [&](const ObjectMeta::OwnerReference& owner) {
      json.object([&] {
        json.field("apiVersion", owner.api_version);
        json.field("kind", owner.kind);
        json.field("name", owner.name);
        json.field("uid", owner.uid);
        json.field_unless("controller", owner.controller, false);
      });
    });
  });
}

void write_selector(JsonWriter& json, const LabelSelector& selector) {
  json.object("selector", [&] {
    if (!selector.match_labels.empty()) json.field("matchLabels", selector.match_labels);
    if (selector.match_expressions.empty()) return;
    json.list("matchExpressions", selector.match_expressions,
              [&](const LabelSelector::Expression& expression) {
                json.object([&] {
                  json.field("key", expression.key);
                  json.field("operator", expression.op);
                  json.field_if("values", expression.values);
                });
              });
  });
}

void read_milliseconds(ObjectReader milliseconds, SaveMilliseconds& out) {
  for (const auto& stage : SaveMilliseconds::all()) milliseconds.read(stage.name, out.*stage.time);
}

void write_milliseconds(JsonWriter& json, const SaveMilliseconds& times) {
  if (times == SaveMilliseconds()) return;
  json.object("milliseconds", [&] {
    for (const auto& stage : SaveMilliseconds::all()) json.field_if(stage.name, times.*stage.time);
  });
}

}  // namespace live_update
