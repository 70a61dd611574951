#include "core/base/text.h"

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

bool is_control(char32_t character) {
  return (character < 0x20 && character != '\n' && character != '\t') ||
         (character >= 0x7F && character < 0xA0);
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
  constexpr std::size_t kMax = 32'000;
  if (text.size() <= kMax) return std::string(text);
  text.remove_prefix(text.size() - kMax);
  while (!text.empty() && (static_cast<unsigned char>(text.front()) & 0xc0) == 0x80) text.remove_prefix(1);
  return "..." + std::string(text);
}

std::string clean_start(std::string_view bytes) {
  constexpr std::size_t kLongest = 1024;
  return clean(bytes.substr(0, kLongest));
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
    } else if (!is_control(character)) {
      out += bytes.substr(0, size);
    }
    bytes.remove_prefix(size);
  }
  out.erase(out.find_last_not_of(" \t\n") + 1);
  return out;
}

}  // namespace live_update
