#include "core/base/json.h"

#include <rapidjson/error/en.h>
#include <rapidjson/memorystream.h>

#include "core/base/text.h"
#include "core/base/time.h"

namespace live_update {
namespace {

// Between the reader and the document: counts, and ends the parse when there is too much of something.
class Guard {
 public:
  Guard(rapidjson::Document& document, const JsonLimits& limits) : document_(document), limits_(limits) {}
  bool Null() { return value() && document_.Null(); }
  bool Bool(bool it) { return value() && document_.Bool(it); }
  bool Int(int it) { return value() && document_.Int(it); }
  bool Uint(unsigned it) { return value() && document_.Uint(it); }
  bool Int64(std::int64_t it) { return value() && document_.Int64(it); }
  bool Uint64(std::uint64_t it) { return value() && document_.Uint64(it); }
  bool Double(double it) { return value() && document_.Double(it); }
  bool RawNumber(const char* text, rapidjson::SizeType size, bool copy) {
    return value() && document_.RawNumber(text, size, copy);
  }
  bool String(const char* text, rapidjson::SizeType size, bool copy) {
    return value() && document_.String(text, size, copy);
  }
  bool Key(const char* text, rapidjson::SizeType size, bool copy) { return document_.Key(text, size, copy); }
  bool StartObject() {
    if (++objects_ > limits_.objects)
      return exceeded("more than " + std::to_string(limits_.objects) + " objects");
    return value() && deeper() && document_.StartObject();
  }
  bool EndObject(rapidjson::SizeType members) {
    --depth_;
    return document_.EndObject(members);
  }
  bool StartArray() { return value() && deeper() && document_.StartArray(); }
  bool EndArray(rapidjson::SizeType entries) {
    --depth_;
    return document_.EndArray(entries);
  }
  const std::string& exceeded() const { return exceeded_; }

 private:
  bool exceeded(std::string what) {
    exceeded_ = std::move(what);
    return false;
  }
  bool value() {
    return ++values_ <= limits_.values || exceeded("more than " + std::to_string(limits_.values) + " values");
  }
  bool deeper() {
    return ++depth_ <= limits_.depth || exceeded("nested deeper than " + std::to_string(limits_.depth));
  }

  rapidjson::Document& document_;
  const JsonLimits& limits_;
  int depth_ = 0;
  std::size_t objects_ = 0, values_ = 0;
  std::string exceeded_;
};

}  // namespace

Result<rapidjson::Document> parse_json(std::string_view text, const JsonLimits& limits) {
  rapidjson::Document document;
  rapidjson::ParseResult outcome;
  std::string exceeded;
  auto generate = [&](rapidjson::Document& into) {
    Guard guard(into, limits);
    rapidjson::Reader reader;
    rapidjson::MemoryStream bytes(text.data(), text.size());
    rapidjson::EncodedInputStream<rapidjson::UTF8<>, rapidjson::MemoryStream> stream(bytes);
    constexpr unsigned kFlags = rapidjson::kParseIterativeFlag | rapidjson::kParseValidateEncodingFlag;
    outcome = reader.Parse<kFlags>(stream, guard);
    exceeded = guard.exceeded();
    return !outcome.IsError();
  };
  document.Populate(generate);
  if (!outcome.IsError()) return document;
  const std::string where = " at byte " + std::to_string(outcome.Offset());
  if (outcome.Code() == rapidjson::kParseErrorTermination)
    return fail(ErrorKind::Invalid, "is not usable JSON: " + exceeded + where);
  return fail(ErrorKind::Invalid,
              "is not JSON: " + std::string(rapidjson::GetParseError_En(outcome.Code())) + where);
}

std::string to_text(const rapidjson::Value& value) {
  rapidjson::StringBuffer buffer;
  rapidjson::Writer<rapidjson::StringBuffer> writer(buffer);
  value.Accept(writer);
  return {buffer.GetString(), buffer.GetSize()};
}

void JsonWriter::key(std::string_view name) {
  writer_.Key(name.data(), static_cast<rapidjson::SizeType>(name.size()));
}

void JsonWriter::text(std::string_view value) {
  const std::string clean = to_utf8(value);
  writer_.String(clean.data(), static_cast<rapidjson::SizeType>(clean.size()));
}

void JsonWriter::field(std::string_view name, std::string_view value) {
  key(name);
  text(value);
}

void JsonWriter::field(std::string_view name, bool value) {
  key(name);
  writer_.Bool(value);
}

void JsonWriter::field(std::string_view name, std::int64_t value) {
  key(name);
  writer_.Int64(value);
}

void JsonWriter::field(std::string_view name, std::uint64_t value) {
  key(name);
  writer_.Uint64(value);
}

void JsonWriter::field(std::string_view name, const std::vector<std::string>& values) {
  list(name, values, [this](const std::string& value) { text(value); });
}

void JsonWriter::field(std::string_view name, const std::vector<int>& values) {
  list(name, values, [this](int value) { writer_.Int(value); });
}

void JsonWriter::field(std::string_view name, const std::map<std::string, std::string>& values) {
  object(name, [&] {
    for (const auto& [key, value] : values) field(key, std::string_view(value));
  });
}

void JsonWriter::field(std::string_view name, Time value) { field(name, format_time(value)); }

}  // namespace live_update
