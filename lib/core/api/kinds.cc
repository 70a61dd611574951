#include "core/api/kinds.h"

#include <tuple>

namespace live_update {

std::vector<std::string> Run::argv() const {
  return shell.empty() ? command : std::vector<std::string>{"sh", "-c", shell};
}

bool Change::operator==(const Change& other) const {
  auto plain = [](const Change& c) {
    return std::tie(c.path, c.op, c.type, c.mode, c.mtime, c.size, c.digest, c.target, c.encoding, c.offset,
                    c.stamp, c.is_new);
  };
  if (plain(*this) != plain(other)) return false;
  if (content == other.content) return true;
  return content && other.content && *content == *other.content;
}

std::string change_set_name(const std::string& live_update, const std::string& session,
                            std::int64_t sequence) {
  std::string digits = std::to_string(sequence);
  if (digits.size() < 6) digits.insert(0, 6 - digits.size(), '0');
  return live_update + "-" + session + "-" + digits;
}

}  // namespace live_update
