#include "operator/output_tail.h"

#include <cstdint>

namespace live_update {
namespace {

// Length of the well-formed UTF-8 character at the front; 0: there is none.
std::size_t utf8_length(std::string_view s) {
  const auto at = [&](std::size_t i) { return static_cast<unsigned char>(s[i]); };
  const unsigned char lead = at(0);
  if (lead < 0x80) return 1;
  const std::size_t size = lead >= 0xC2 && lead <= 0xDF   ? 2
                           : (lead & 0xF0) == 0xE0        ? 3
                           : lead >= 0xF0 && lead <= 0xF4 ? 4
                                                          : 0;
  if (size == 0 || s.size() < size) return 0;
  for (std::size_t i = 1; i < size; ++i) {
    if ((at(i) & 0xC0) != 0x80) return 0;
  }
  const bool overlong = (lead == 0xE0 && at(1) < 0xA0) || (lead == 0xF0 && at(1) < 0x90);
  const bool not_a_character = (lead == 0xED && at(1) > 0x9F) || (lead == 0xF4 && at(1) > 0x8F);
  return overlong || not_a_character ? 0 : size;
}

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

bool is_control(std::string_view character) {
  const auto first = static_cast<unsigned char>(character[0]);
  if (character.size() == 1) return (first < 0x20 && first != '\n' && first != '\t') || first == 0x7F;
  return first == 0xC2 && static_cast<unsigned char>(character[1]) < 0xA0;  // U+0080 to U+009F
}

}  // namespace

void OutputTail::add(std::string_view bytes) {
  if (bytes.size() > limit_) {
    dropped_ = true;
    kept_.clear();
    bytes.remove_prefix(bytes.size() - limit_);
  }
  kept_ += bytes;
  if (kept_.size() < 2 * limit_) return;
  dropped_ = true;
  kept_.erase(0, kept_.size() - limit_);
}

std::string OutputTail::text() const {
  std::string_view last = kept_;
  if (last.size() > limit_) last.remove_prefix(last.size() - limit_);
  if (dropped_ || last.size() < kept_.size()) {
    const std::size_t line = last.find('\n');
    if (line != std::string_view::npos && line + 1 < last.size()) last.remove_prefix(line + 1);
  }
  return clean(last);
}

std::string clean_start(std::string_view bytes) {
  constexpr std::size_t kLongest = 1024;
  return clean(bytes.substr(0, kLongest));
}

std::string clean(std::string_view bytes) {
  std::string out;
  while (!bytes.empty()) {
    std::size_t size = utf8_length(bytes);
    if (bytes[0] == '\x1b') {
      size = escape_length(bytes);
    } else if (bytes[0] == '\r') {
      if (!out.empty() && out.back() != '\n' && !bytes.starts_with("\r\n")) out += '\n';
    } else if (size == 0) {
      out += "\xEF\xBF\xBD";
      size = 1;
    } else if (!is_control(bytes.substr(0, size))) {
      out += bytes.substr(0, size);
    }
    bytes.remove_prefix(size);
  }
  out.erase(out.find_last_not_of(" \t\n") + 1);
  return out;
}

}  // namespace live_update
