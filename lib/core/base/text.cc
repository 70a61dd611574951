#include "core/base/text.h"

#include <algorithm>
#include <charconv>

namespace live_update {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD

// Length of the terminal escape sequence at the front, which begins with ESC (ECMA-48: CSI, OSC, two-byte).
std::size_t escape_length(std::string_view s) {
  if (s.size() < 2) return s.size();
  if (s[1] == '[') {
    std::size_t i = 2;
    while (i < s.size() && (s[i] < 0x40 || s[i] > 0x7E)) ++i;
    return i < s.size() ? i + 1 : i;
  }
  if (s[1] != ']') return 2;
  const std::size_t end = s.find_first_of("\a\x1b", 2);
  if (end == std::string_view::npos) return s.size();
  return s[end] == '\x1b' && end + 1 < s.size() ? end + 2 : end + 1;
}

// What a terminal would obey, or what makes text look like other text: C0, DEL, C1, marks and overrides of the
// direction of writing, separators of lines, and a byte order mark.
bool is_obeyed(char32_t c) {
  return c < 0x20 || (c >= 0x7F && c < 0xA0) || c == 0x061C || c == 0x200E || c == 0x200F ||
         (c >= 0x2028 && c <= 0x202E) || (c >= 0x2066 && c <= 0x206F) || c == 0xFEFF ||
         (c >= 0xFFF9 && c <= 0xFFFB);
}

void add_hex(std::string& to, std::string_view prefix, char32_t number, int digits) {
  to += prefix;
  for (int i = digits - 1; i >= 0; --i) to += "0123456789abcdef"[number >> 4 * i & 0xF];
}

std::string escaped(std::string_view text, std::string_view kept) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t begin = at;
    const char32_t c = next_character(text, at);
    if (c == kNoCharacter)
      add_hex(out, "\\x", static_cast<unsigned char>(text[begin]), 2);
    else if (is_obeyed(c) && !(c < 0x20 && kept.contains(static_cast<char>(c))))
      add_hex(out, c < 0x80 ? "\\x" : "\\u", c, c < 0x80 ? 2 : 4);
    else
      out.append(text, begin, at - begin);
  }
  return out;
}

// As much of the end as a status message may have, cut between characters.
std::string_view end_of(std::string_view text) {
  constexpr std::size_t kMost = 32'000;
  if (text.size() <= kMost) return text;
  text.remove_prefix(text.size() - kMost);
  while (!text.empty() && (static_cast<unsigned char>(text.front()) & 0xc0) == 0x80) text.remove_prefix(1);
  return text;
}

}  // namespace

bool is_utf8(std::string_view bytes) {
  for (std::size_t at = 0; at < bytes.size();) {
    if (next_character(bytes, at) == kNoCharacter) return false;
  }
  return true;
}

char32_t next_character(std::string_view text, std::size_t& at) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(at++);
  if (first < 0x80) return first;
  const int more = first >= 0xF0 ? 3 : first >= 0xE0 ? 2 : 1;
  if (first < 0xC2 || first > 0xF4 || at + more > text.size()) return kNoCharacter;
  char32_t character = first & (0x3F >> more);
  for (int i = 0; i < more; ++i) {
    if ((byte(at + i) & 0xC0) != 0x80) return kNoCharacter;
    character = character << 6 | (byte(at + i) & 0x3F);
  }
  const bool overlong = (more == 2 && character < 0x800) || (more == 3 && character < 0x10000);
  if (overlong || (character >= 0xD800 && character <= 0xDFFF) || character > 0x10FFFF) return kNoCharacter;
  at += more;
  return character;
}

std::string to_utf8(std::string_view bytes) {
  std::string out;
  out.reserve(bytes.size());
  for (std::size_t at = 0; at < bytes.size();) {
    const std::size_t begin = at;
    if (next_character(bytes, at) == kNoCharacter)
      out += kReplacement;
    else
      out.append(bytes, begin, at - begin);
  }
  return out;
}

std::string status_message(std::string_view text) {
  const std::string_view end = end_of(text);
  std::string said = printable(to_utf8(end));
  const std::string_view kept = end_of(said);  // what is escaped has become longer
  return end.size() == text.size() && kept.size() == said.size() ? said : "..." + std::string(kept);
}

std::string clean_start(std::string_view bytes) {
  constexpr std::size_t kLongest = 1024;
  return visible(clean(bytes.substr(0, kLongest)));
}

std::string clean(std::string_view bytes) {
  std::string out;
  while (!bytes.empty()) {
    std::size_t size = 0;
    const char32_t character = next_character(bytes, size);
    if (bytes[0] == '\x1b') {
      size = escape_length(bytes);
    } else if (bytes[0] == '\r') {
      if (!out.empty() && out.back() != '\n' && !bytes.starts_with("\r\n")) out += '\n';
    } else if (character == kNoCharacter) {
      out += kReplacement;
    } else if (!is_obeyed(character) || character == '\n' || character == '\t') {
      out += bytes.substr(0, size);
    }
    bytes.remove_prefix(size);
  }
  out.erase(out.find_last_not_of(" \t\n") + 1);
  return out;
}

std::size_t count_characters(std::string_view text) {
  std::size_t characters = 0;
  for (std::size_t at = 0; at < text.size(); ++characters) next_character(text, at);
  return characters;
}

std::string visible(std::string_view text) { return escaped(text, ""); }

std::string printable(std::string_view text) { return escaped(text, "\n\t"); }

std::string visible_lines(std::string_view text) {
  constexpr std::string_view kMargin = "  | ";
  std::string out;
  while (text.ends_with('\n')) text.remove_suffix(1);
  for (std::size_t at = 0; at <= text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    const std::string_view line = text.substr(at, end - at);
    if (at > 0) out += '\n';
    if (at > 0 && !line.starts_with(kMargin)) out += kMargin;
    out += escaped(line, "\t");
    at = end + 1;
  }
  return out;
}

// All these characters can stand in strings only, and newlines and tabs in neither but between values.
std::string visible_json(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t begin = at;
    const char32_t c = next_character(text, at);
    if (c == kNoCharacter)
      out += kReplacement;
    else if (is_obeyed(c) && c != '\n' && c != '\t')
      add_hex(out, "\\u", c, 4);
    else
      out.append(text, begin, at - begin);
  }
  return out;
}

std::int64_t to_number(std::string_view text) {
  std::int64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

}  // namespace live_update
