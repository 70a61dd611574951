#include "test/fakes/fake_selectors.h"

#include <rapidjson/pointer.h>

#include <algorithm>
#include <optional>
#include <vector>

namespace live_update {
namespace {

using rapidjson::Value;

std::string trimmed(const std::string& text) {
  const auto first = text.find_first_not_of(' ');
  return first == std::string::npos ? "" : text.substr(first, text.find_last_not_of(' ') - first + 1);
}

// At the commas, those in parentheses aside.
std::vector<std::string> split(const std::string& text) {
  std::vector<std::string> out(1);
  int depth = 0;
  for (const char c : text) {
    depth += (c == '(') - (c == ')');
    if (c == ',' && depth == 0)
      out.emplace_back();
    else
      out.back() += c;
  }
  for (std::string& it : out) it = trimmed(it);
  std::erase(out, "");
  return out;
}

std::optional<std::string> label(const Value& object, const std::string& key) {
  const Value* labels = rapidjson::Pointer("/metadata/labels").Get(object);
  if (!labels || !labels->IsObject() || !labels->HasMember(key.c_str())) return {};
  return (*labels)[key.c_str()].GetString();
}

struct Comparison {
  std::string key, value;
  bool equal = true;
};
std::optional<Comparison> comparison(const std::string& text) {
  const auto at = text.find('=');
  if (at == std::string::npos) return {};
  const bool unequal = at > 0 && text[at - 1] == '!';
  const auto begin = text.find_first_not_of('=', at);
  return Comparison{trimmed(text.substr(0, at - unequal)),
                    begin == std::string::npos ? "" : trimmed(text.substr(begin)), !unequal};
}

bool matches_label(const Value& object, const std::string& requirement) {
  if (const auto paren = requirement.find('('); paren != std::string::npos) {
    const std::string head = trimmed(requirement.substr(0, paren));
    const auto space = head.rfind(' ');
    const auto values = split(requirement.substr(paren + 1, requirement.rfind(')') - paren - 1));
    const auto value = label(object, trimmed(head.substr(0, space)));
    const bool in = value && std::ranges::find(values, *value) != values.end();
    return head.ends_with("notin") ? !in : in;
  }
  if (const auto it = comparison(requirement)) return (label(object, it->key) == it->value) == it->equal;
  if (requirement.starts_with('!')) return !label(object, requirement.substr(1));
  return label(object, requirement).has_value();
}

}  // namespace

bool matches_labels(const Value& object, const std::string& selector) {
  return std::ranges::all_of(split(selector),
                             [&](const std::string& it) { return matches_label(object, it); });
}

bool matches_fields(const Value& object, const std::string& selector) {
  return std::ranges::all_of(split(selector), [&](const std::string& requirement) {
    const auto it = comparison(requirement);
    if (!it) return false;
    std::string pointer = "/" + it->key;
    std::ranges::replace(pointer, '.', '/');
    const Value* value = rapidjson::Pointer(pointer.c_str()).Get(object);
    return ((value && value->IsString() ? value->GetString() : std::string()) == it->value) == it->equal;
  });
}

}  // namespace live_update
