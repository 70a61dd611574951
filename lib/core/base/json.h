// Reading JSON objects field by field, with every problem named by its field path, and writing them.
//
// ObjectReader is total: any JSON may be given to it; what is missing leaves the default, what is wrong
// becomes a FieldError.
#pragma once

#include <rapidjson/document.h>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "core/base/time.h"

namespace live_update {

// One breach of a rule, with the field as a path from the object's top: spec.steps[2].sync.to (rule 1.9).
struct FieldError {
  std::string field, message;
  bool operator==(const FieldError&) const = default;
};

// Parsing ends where a text goes beyond these, before more memory is spent on it. Nesting is always bounded, so
// that walking the document may recurse.
struct JsonLimits {
  int depth = 128;  // nothing of Kubernetes comes near it
  std::size_t objects = static_cast<std::size_t>(-1), values = static_cast<std::size_t>(-1);
};
// Errors say where (the byte).
Result<rapidjson::Document> parse_json(std::string_view text, const JsonLimits& limits = {});
std::string to_text(const rapidjson::Value& value);

enum class Strictness {
  Lenient,  // unknown fields are skipped, null means absent
  Strict,   // both are errors
};

// What was wrong so far. At most kMax are kept: input may be hostile.
struct FieldErrors {
  static constexpr std::size_t kMax = 100;
  Strictness strictness = Strictness::Lenient;
  std::vector<FieldError> list;
  void add(std::string field, std::string message);
};

// Where a value is; built without allocation, turned into text only for an error. Parents must outlive it.
struct FieldPath {
  const FieldPath* parent = nullptr;
  std::string_view name;     // of a field, or
  int index = -1;            // of a list entry
  std::string text() const;  // "spec.steps[2].sync.to"
};

// "a number (5)", "the string \"x\"", "a list": for messages, short whatever the value is.
std::string describe(const rapidjson::Value& value);

// How many letters must be added, removed or exchanged, capitals aside.
std::size_t edit_distance(std::string_view a, std::string_view b);
// The candidate that `word` was probably meant to be; empty if none is near.
std::string_view nearest(std::string_view word, const std::vector<std::string_view>& candidates);

// One JSON object. In Strict mode its destructor reports the fields that nobody asked for.
class ObjectReader {
 public:
  // `value` may be null (absent) or of any type; what is no object reads as an empty one.
  ObjectReader(const rapidjson::Value* value, FieldPath path, FieldErrors& errors);
  ~ObjectReader();
  ObjectReader(const ObjectReader&) = delete;
  ObjectReader& operator=(const ObjectReader&) = delete;

  bool present() const { return object_ != nullptr; }
  // The field's value, or null if it is absent. Counts as asked for.
  const rapidjson::Value* find(std::string_view name);
  ObjectReader object(std::string_view name);
  // In Strict mode: these fields must be there.
  void require(std::initializer_list<std::string_view> names);
  // For fields that are legal, but not ours to read.
  void skip(std::initializer_list<std::string_view> names);

  void read(std::string_view name, std::string& out);
  void read(std::string_view name, bool& out);
  void read(std::string_view name, int& out, int low = std::numeric_limits<int>::min(),
            int high = std::numeric_limits<int>::max());
  void read(std::string_view name, std::uint32_t& out);
  void read(std::string_view name, std::int64_t& out);
  void read(std::string_view name, std::uint64_t& out);
  void read(std::string_view name, std::optional<std::int64_t>& out);
  void read(std::string_view name, std::optional<Time>& out);
  void read(std::string_view name, std::vector<std::string>& out);
  void read(std::string_view name, std::optional<std::vector<std::string>>& out);
  void read(std::string_view name, std::vector<int>& out);
  void read(std::string_view name, std::map<std::string, std::string>& out);
  template <typename E>
    requires requires(E e) { enum_table(e); }
  void read(std::string_view name, E& out);
  // A string that must be one of `words`.
  void read_word(std::string_view name, std::string& out, const std::vector<std::string_view>& words);

  // Calls `each(ObjectReader&, index)` for every entry of a list of objects.
  template <typename F>
  void read_list(std::string_view name, F each);

  // An error at a field of this object, or with an empty name at the object itself.
  void wrong(std::string_view name, std::string message);

 private:
  const rapidjson::Value* array(std::string_view name);
  bool read_text(std::string_view name, std::string& out);
  void read_integer(std::string_view name, std::int64_t low, std::int64_t high, std::int64_t& out);

  const rapidjson::Value* object_ = nullptr;
  FieldPath path_;
  FieldErrors& errors_;
  std::vector<std::string_view> known_;
};

// The text of an enum that was not understood: what is allowed, what was probably meant.
std::string unknown_value(std::string_view value, const std::vector<std::string_view>& allowed);

template <typename E>
  requires requires(E e) { enum_table(e); }
void ObjectReader::read(std::string_view name, E& out) {
  std::string text;
  if (!read_text(name, text)) return;
  std::vector<std::string_view> allowed;
  for (const auto& [value, word] : enum_table(E{})) {
    if (word == text) {
      out = value;
      return;
    }
    allowed.push_back(word);
  }
  wrong(name, unknown_value(text, allowed));
}

template <typename F>
void ObjectReader::read_list(std::string_view name, F each) {
  const rapidjson::Value* list = array(name);
  if (!list) return;
  const FieldPath here{&path_, name, -1};
  for (rapidjson::SizeType i = 0; i < list->Size(); ++i) {
    ObjectReader entry(&(*list)[i], FieldPath{&here, {}, static_cast<int>(i)}, errors_);
    each(entry, static_cast<int>(i));
  }
}

// Writes one JSON text. Bytes that are not UTF-8 become U+FFFD, so that the API server never refuses the
// whole object.
class JsonWriter {
 public:
  JsonWriter() : writer_(buffer_) {}
  template <typename F>
  void object(F fill) {
    writer_.StartObject();
    fill();
    writer_.EndObject();
  }
  template <typename F>
  void object(std::string_view name, F fill) {
    key(name);
    object(fill);
  }
  template <typename List, typename F>
  void list(std::string_view name, const List& values, F each) {
    key(name);
    writer_.StartArray();
    for (const auto& value : values) each(value);
    writer_.EndArray();
  }
  void field(std::string_view name, std::string_view value);
  void field(std::string_view name, const char* value) { field(name, std::string_view(value)); }
  void field(std::string_view name, bool value);
  void field(std::string_view name, std::int64_t value);
  void field(std::string_view name, std::uint64_t value);
  void field(std::string_view name, int value) { field(name, static_cast<std::int64_t>(value)); }
  void field(std::string_view name, std::uint32_t value) { field(name, static_cast<std::int64_t>(value)); }
  void field(std::string_view name, const std::vector<std::string>& values);
  void field(std::string_view name, const std::vector<int>& values);
  void field(std::string_view name, const std::map<std::string, std::string>& values);
  void field(std::string_view name, Time value);
  void json(std::string_view name, const rapidjson::Value& value) {
    key(name);
    value.Accept(writer_);
  }
  void null(std::string_view name) {
    key(name);
    writer_.Null();
  }
  template <typename E>
    requires requires(E e) { enum_table(e); }
  void field(std::string_view name, E value) {
    field(name, to_string(value));
  }
  // The field only where it differs from the default.
  template <typename T>
  void field_unless(std::string_view name, const T& value, const T& standard) {
    if (value != standard) field(name, value);
  }
  void field_if(std::string_view name, const std::string& value) {
    if (!value.empty()) field(name, std::string_view(value));
  }
  void field_if(std::string_view name, const std::vector<std::string>& values) {
    if (!values.empty()) field(name, values);
  }
  template <typename T>
  void field_if(std::string_view name, const std::optional<T>& value) {
    if (value) field(name, *value);
  }
  std::string take() const { return {buffer_.GetString(), buffer_.GetSize()}; }

 private:
  void key(std::string_view name);
  void text(std::string_view value);

  rapidjson::StringBuffer buffer_;
  rapidjson::Writer<rapidjson::StringBuffer> writer_;
};

}  // namespace live_update
