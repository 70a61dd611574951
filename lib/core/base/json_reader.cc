#include <algorithm>
#include <cctype>
#include <limits>
#include <numeric>

#include "core/base/json.h"
#include "core/base/text.h"
#include "core/base/time.h"

namespace live_update {
namespace {

constexpr std::size_t kShown = 60;  // of a user's text in a message

std::string_view view(const rapidjson::Value& text) { return {text.GetString(), text.GetStringLength()}; }

std::string quoted(std::string_view text) {
  if (text.size() <= kShown) return '"' + to_utf8(text) + '"';
  return '"' + to_utf8(text.substr(0, kShown)) + "...\"";
}

// The value as a whole number, also if written 5.0 as the API server allows.
std::optional<std::int64_t> integer(const rapidjson::Value& value) {
  if (value.IsInt64()) return value.GetInt64();
  if (!value.IsDouble()) return {};
  const double number = value.GetDouble();
  if (!(number >= -9007199254740992.0 && number <= 9007199254740992.0)) return {};
  const auto whole = static_cast<std::int64_t>(number);
  if (static_cast<double>(whole) != number) return {};
  return whole;
}

std::string joined(const std::vector<std::string_view>& words) {
  std::string out;
  for (const std::string_view word : words) {
    if (!out.empty()) out += ", ";
    out += word;
  }
  return out;
}

// What to write instead, where a scalar is given for a text.
std::string must_be_text(const rapidjson::Value& value) {
  std::string message = "must be a string, is " + describe(value);
  if (value.IsNumber() || value.IsBool()) message += ": put it in quotes";
  return message;
}

}  // namespace

void FieldErrors::add(std::string field, std::string message) {
  if (list.size() < kMax) list.push_back({std::move(field), std::move(message)});
}

std::string FieldPath::text() const {
  std::string out = parent ? parent->text() : std::string();
  if (index >= 0) return out + '[' + std::to_string(index) + ']';
  if (name.empty()) return out;
  if (!out.empty()) out += '.';
  return out + to_utf8(name.substr(0, kShown));
}

std::string describe(const rapidjson::Value& value) {
  if (value.IsNull()) return "empty (null)";
  if (value.IsBool()) return value.GetBool() ? "the truth value true" : "the truth value false";
  if (value.IsNumber()) return "the number " + to_text(value);
  if (value.IsString()) return "the string " + quoted(view(value));
  return value.IsArray() ? "a list" : "an object";
}

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), 0);
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i);
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const bool same = std::tolower(static_cast<unsigned char>(a[i - 1])) ==
                        std::tolower(static_cast<unsigned char>(b[j - 1]));
      const std::size_t changed = diagonal + (same ? 0 : 1);
      diagonal = std::exchange(row[j], std::min({changed, row[j] + 1, row[j - 1] + 1}));
    }
  }
  return row.back();
}

std::string_view nearest(std::string_view word, const std::vector<std::string_view>& candidates) {
  if (word.size() > kShown) return {};
  std::string_view best;
  std::size_t best_distance = word.size() < 4 ? 1 : 2;
  for (const std::string_view candidate : candidates) {
    const std::size_t distance = edit_distance(word, candidate);
    if (distance > best_distance || distance >= std::max(word.size(), candidate.size())) continue;
    if (distance == best_distance && !best.empty()) continue;
    best = candidate;
    best_distance = distance;
  }
  return best;
}

std::string unknown_value(std::string_view value, const std::vector<std::string_view>& allowed) {
  std::string message = "unknown value " + quoted(value);
  const std::string_view meant = nearest(value, allowed);
  if (!meant.empty()) return message + ", did you mean \"" + std::string(meant) + "\"?";
  return message + ", must be one of " + joined(allowed);
}

ObjectReader::ObjectReader(const rapidjson::Value* value, FieldPath path, FieldErrors& errors)
    : path_(path), errors_(errors) {
  if (!value) return;
  if (value->IsObject()) {
    object_ = value;
  } else if (!value->IsNull() || errors.strictness == Strictness::Strict) {
    wrong({}, "must be an object, is " + describe(*value) + (value->IsNull() ? ": write {}" : ""));
  }
}

ObjectReader::~ObjectReader() {
  if (!object_ || errors_.strictness == Strictness::Lenient) return;
  for (const auto& member : object_->GetObject()) {
    const std::string_view name = view(member.name);
    if (std::find(known_.begin(), known_.end(), name) != known_.end()) continue;
    const std::string_view meant = nearest(name, known_);
    if (!meant.empty()) {
      wrong(name, "unknown field, did you mean \"" + std::string(meant) + "\"?");
    } else {
      wrong(name, "unknown field" +
                      (known_.empty() ? ", none is allowed here" : ", known here: " + joined(known_)));
    }
  }
}

void ObjectReader::wrong(std::string_view name, std::string message) {
  errors_.add(name.empty() ? path_.text() : FieldPath{&path_, name, -1}.text(), std::move(message));
}

const rapidjson::Value* ObjectReader::find(std::string_view name) {
  if (errors_.strictness == Strictness::Strict &&
      std::find(known_.begin(), known_.end(), name) == known_.end()) {
    known_.push_back(name);
  }
  if (!object_) return nullptr;
  const auto member = object_->FindMember(
      rapidjson::Value(rapidjson::StringRef(name.data(), static_cast<rapidjson::SizeType>(name.size()))));
  if (member == object_->MemberEnd()) return nullptr;
  if (member->value.IsNull() && errors_.strictness == Strictness::Lenient) return nullptr;
  return &member->value;
}

ObjectReader ObjectReader::object(std::string_view name) {
  return ObjectReader(find(name), FieldPath{&path_, name, -1}, errors_);
}

void ObjectReader::require(std::initializer_list<std::string_view> names) {
  if (!object_ || errors_.strictness == Strictness::Lenient) return;
  for (const std::string_view name : names) {
    if (!find(name)) wrong(name, "is missing, but must be given");
  }
}

void ObjectReader::skip(std::initializer_list<std::string_view> names) {
  known_.insert(known_.end(), names.begin(), names.end());
}

bool ObjectReader::read_text(std::string_view name, std::string& out) {
  const rapidjson::Value* value = find(name);
  if (!value) return false;
  if (value->IsString()) {
    out = view(*value);
    return true;
  }
  wrong(name, must_be_text(*value));
  return false;
}

void ObjectReader::read(std::string_view name, std::string& out) { read_text(name, out); }

void ObjectReader::read_word(std::string_view name, std::string& out,
                             const std::vector<std::string_view>& words) {
  std::string word;
  if (!read_text(name, word)) return;
  if (std::find(words.begin(), words.end(), word) == words.end())
    return wrong(name, unknown_value(word, words));
  out = std::move(word);
}

void ObjectReader::read(std::string_view name, bool& out) {
  const rapidjson::Value* value = find(name);
  if (!value) return;
  if (value->IsBool())
    out = value->GetBool();
  else
    wrong(name, "must be true or false, is " + describe(*value));
}

void ObjectReader::read_integer(std::string_view name, std::int64_t low, std::int64_t high,
                                std::int64_t& out) {
  const rapidjson::Value* value = find(name);
  if (!value) return;
  const auto number = integer(*value);
  if (!number) return wrong(name, "must be a whole number, is " + describe(*value));
  if (*number >= low && *number <= high) {
    out = *number;
  } else {
    wrong(name,
          "must be from " + std::to_string(low) + " to " + std::to_string(high) + ", is " + describe(*value));
  }
}

void ObjectReader::read(std::string_view name, std::int64_t& out) {
  read_integer(name, std::numeric_limits<std::int64_t>::min(), std::numeric_limits<std::int64_t>::max(), out);
}

void ObjectReader::read(std::string_view name, int& out, int low, int high) {
  std::int64_t number = out;
  read_integer(name, low, high, number);
  out = static_cast<int>(number);
}

void ObjectReader::read(std::string_view name, std::uint32_t& out) {
  std::int64_t number = out;
  read_integer(name, 0, std::numeric_limits<std::uint32_t>::max(), number);
  out = static_cast<std::uint32_t>(number);
}

void ObjectReader::read(std::string_view name, std::uint64_t& out) {
  std::int64_t number = static_cast<std::int64_t>(out);
  read_integer(name, 0, std::numeric_limits<std::int64_t>::max(), number);
  out = static_cast<std::uint64_t>(number);
}

void ObjectReader::read(std::string_view name, std::optional<std::int64_t>& out) {
  std::int64_t number = 0;
  read(name, number);
  if (find(name)) out = number;
}

void ObjectReader::read(std::string_view name, std::optional<Time>& out) {
  std::string text;
  if (!read_text(name, text)) return;
  if (auto time = parse_time(text))
    out = *time;
  else
    wrong(name, quoted(text) + " " + time.error().message);
}

const rapidjson::Value* ObjectReader::array(std::string_view name) {
  const rapidjson::Value* value = find(name);
  if (!value || value->IsArray()) return value;
  std::string message = "must be a list, is " + describe(*value);
  if (value->IsString()) message += ": write [" + quoted(view(*value)) + "]";
  wrong(name, std::move(message));
  return nullptr;
}

void ObjectReader::read(std::string_view name, std::vector<std::string>& out) {
  const rapidjson::Value* list = array(name);
  if (!list) return;
  const FieldPath here{&path_, name, -1};
  out.clear();
  for (rapidjson::SizeType i = 0; i < list->Size(); ++i) {
    const rapidjson::Value& entry = (*list)[i];
    if (!entry.IsString()) errors_.add(FieldPath{&here, {}, static_cast<int>(i)}.text(), must_be_text(entry));
    out.emplace_back(entry.IsString() ? view(entry) : std::string_view());
  }
}

void ObjectReader::read(std::string_view name, std::optional<std::vector<std::string>>& out) {
  std::vector<std::string> list;
  read(name, list);
  if (const rapidjson::Value* value = find(name); value && value->IsArray()) out = std::move(list);
}

void ObjectReader::read(std::string_view name, std::vector<int>& out) {
  const rapidjson::Value* list = array(name);
  if (!list) return;
  out.clear();
  for (const auto& entry : list->GetArray()) {
    if (entry.IsInt())
      out.push_back(entry.GetInt());
    else
      wrong(name, "must be a list of whole numbers, has " + describe(entry));
  }
}

void ObjectReader::read(std::string_view name, std::map<std::string, std::string>& out) {
  const rapidjson::Value* value = find(name);
  if (!value) return;
  if (!value->IsObject()) return wrong(name, "must be an object, is " + describe(*value));
  const FieldPath here{&path_, name, -1};
  out.clear();
  for (const auto& member : value->GetObject()) {
    if (member.value.IsString())
      out[std::string(view(member.name))] = view(member.value);
    else
      errors_.add(FieldPath{&here, view(member.name), -1}.text(), must_be_text(member.value));
  }
}

}  // namespace live_update
