// metadata and the pieces that several kinds share, in both directions. For the files that encode and decode
// kinds only.
#pragma once

#include <string_view>

#include "core/api/codec.h"
#include "core/api/enums.h"
#include "core/base/json.h"

namespace live_update {

void read_meta(ObjectReader& object, ObjectMeta& out);
void read_milliseconds(ObjectReader milliseconds, SaveMilliseconds& out);
void read_selector(ObjectReader& selector, LabelSelector& out);

// Everything of ObjectMeta that is set.
void write_meta(JsonWriter& json, const ObjectMeta& meta);
// The name and namespace only, as server-side apply of a status wants it.
void write_identity(JsonWriter& json, const ObjectMeta& meta);
void write_milliseconds(JsonWriter& json, const SaveMilliseconds& times);  // nothing when none is known
void write_selector(JsonWriter& json, const LabelSelector& selector);
void write_type(JsonWriter& json, std::string_view kind);  // apiVersion and kind of ours

// The decoded value, or the first problem with the object's name before it.
template <typename T>
Result<T> decoded(std::string_view kind, T value, const FieldErrors& errors) {
  if (errors.list.empty()) return value;
  const FieldError& first = errors.list.front();
  const std::string where = first.field.empty() ? "" : first.field + " ";
  return fail(ErrorKind::Invalid, std::string(kind) + " " + value.meta.ns + "/" + value.meta.name +
                                      " cannot be read: " + where + first.message);
}

}  // namespace live_update
