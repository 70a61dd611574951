#include "watcher/yaml_output.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <cctype>

namespace live_update {
namespace {

std::string text_of(const rapidjson::Value& value) { return {value.GetString(), value.GetStringLength()}; }

// Plain only where no reader can take it for a number, a date, a truth value or syntax.
bool is_plain(const std::string& text) {
  if (text.empty() || !std::isalpha(static_cast<unsigned char>(text[0]))) return false;
  auto harmless = [](unsigned char c) {
    return std::isalnum(c) || c == '-' || c == '_' || c == '.' || c == '/';
  };
  static const std::string_view kWords[] = {"true", "false", "null", "yes", "no", "on", "off", "y", "n"};
  std::string lower = text;
  std::ranges::transform(lower, lower.begin(),
                         [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return std::ranges::all_of(text, harmless) && std::ranges::find(kWords, lower) == std::end(kWords);
}

void emit(YAML::Emitter& out, const std::string& text) {
  if (is_plain(text))
    out << text;
  else
    out << YAML::DoubleQuoted << text;
}

void emit(YAML::Emitter& out, const rapidjson::Value& value) {
  if (value.IsObject()) {
    out << YAML::BeginMap;
    for (const auto& member : value.GetObject()) {
      out << YAML::Key;
      emit(out, text_of(member.name));
      out << YAML::Value;
      emit(out, member.value);
    }
    out << YAML::EndMap;
  } else if (value.IsArray()) {
    out << YAML::BeginSeq;
    for (const auto& item : value.GetArray()) emit(out, item);
    out << YAML::EndSeq;
  } else if (value.IsString()) {
    emit(out, text_of(value));
  } else if (value.IsBool()) {
    out << value.GetBool();
  } else if (value.IsInt64()) {
    out << value.GetInt64();
  } else if (value.IsNumber()) {
    out << value.GetDouble();
  } else {
    out << YAML::Null;
  }
}

}  // namespace

std::string to_yaml(const rapidjson::Value& json) {
  YAML::Emitter out;
  emit(out, json);
  return out.c_str() + std::string("\n");
}

}  // namespace live_update
