#include "watcher/yaml_scalar.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <optional>
#include <string>

namespace live_update {
namespace {

using rapidjson::Value;

constexpr std::array<std::string_view, 11> kTrue = {"y",    "Y",    "yes", "Yes", "YES", "true",
                                                    "True", "TRUE", "on",  "On",  "ON"};
constexpr std::array<std::string_view, 11> kFalse = {"n",     "N",     "no",  "No",  "NO", "false",
                                                     "False", "FALSE", "off", "Off", "OFF"};
constexpr std::array<std::string_view, 5> kNull = {"", "~", "null", "Null", "NULL"};

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// The base that the prefix names, and the prefix gone: 0x, 0o, 0b, or a bare 0 for octal.
int take_base(std::string_view& digits) {
  if (digits.size() < 2 || digits[0] != '0') return 10;
  const char c = digits[1];
  const int base = c == 'x' || c == 'X' ? 16 : c == 'o' || c == 'O' ? 8 : c == 'b' || c == 'B' ? 2 : 0;
  digits.remove_prefix(base ? 2 : 1);
  return base ? base : 8;
}

std::optional<Value> integer(std::string_view text) {
  const bool minus = text.starts_with('-');
  if (minus || text.starts_with('+')) text.remove_prefix(1);
  const int base = take_base(text);
  std::uint64_t magnitude = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), magnitude, base);
  if (text.empty() || end != text.data() + text.size()) return {};
  if (error == std::errc::result_out_of_range || (minus && magnitude > 9223372036854775808u)) {
    return Value(minus ? -1e300 : 1e300);  // whatever it is, it fits nowhere
  }
  if (error != std::errc()) return {};
  return minus ? Value(static_cast<std::int64_t>(-magnitude)) : Value(magnitude);
}

// [-+]? digits, a point and an exponent; no hexadecimal, no infinity.
std::optional<Value> real(std::string_view text) {
  if (text.starts_with('+')) text.remove_prefix(1);
  const bool shaped =
      std::ranges::all_of(text, [](char c) { return is_digit(c) || std::string_view("+-.eE").contains(c); });
  const std::size_t first = text.starts_with('-') ? 1 : 0;
  if (!shaped || text.size() <= first || !(is_digit(text[first]) || text[first] == '.')) return {};
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (end != text.data() + text.size() || error != std::errc()) return {};
  return Value(number);
}

}  // namespace

Value plain_scalar(std::string_view text, rapidjson::Document::AllocatorType& allocator) {
  if (std::ranges::find(kTrue, text) != kTrue.end()) return Value(true);
  if (std::ranges::find(kFalse, text) != kFalse.end()) return Value(false);
  if (std::ranges::find(kNull, text) != kNull.end()) return Value();
  if (is_digit(text[0]) || text[0] == '+' || text[0] == '-' || text[0] == '.') {
    std::string plain(text);
    if (text[0] != '.') std::erase(plain, '_');
    if (auto number = integer(plain)) return std::move(*number);
    if (auto number = real(plain)) return std::move(*number);
  }
  return Value(text.data(), static_cast<rapidjson::SizeType>(text.size()), allocator);
}

}  // namespace live_update
