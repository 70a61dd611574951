// The end of a command's output, fit for a status message. Pure; one thread at a time.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace live_update {

// Keeps the last `limit` bytes of whatever is added, however much that is: memory stays below twice the
// limit.
class OutputTail {
 public:
  explicit OutputTail(std::size_t limit = 4096) : limit_(limit) {}
  void add(std::string_view bytes);
  // `clean` of what is kept; where something was dropped it begins with a whole line, if there is one.
  std::string text() const;

 private:
  std::size_t limit_;
  std::string kept_;
  bool dropped_ = false;
};

}  // namespace live_update
