// Cuts a stream of bytes into lines, with a bound on how long a line may be. Pure.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "core/base/result.h"

namespace live_update {

class LineSplitter {
 public:
  explicit LineSplitter(std::size_t longest) : longest_(longest) {}

  // Calls `on_line` for each line that `bytes` completes, without its end ("\n" or "\r\n"); empty lines are
  // skipped. TooLarge if a line is longer than allowed: the stream is of no use then.
  template <typename OnLine>
  Result<> feed(std::string_view bytes, OnLine&& on_line) {
    for (auto end = bytes.find('\n'); end != bytes.npos; end = bytes.find('\n')) {
      if (rest_.size() + end > longest_) return too_long();
      rest_.append(bytes.substr(0, end));
      bytes.remove_prefix(end + 1);
      std::string line = std::exchange(rest_, {});
      if (line.ends_with('\r')) line.pop_back();
      if (!line.empty()) on_line(std::move(line));
    }
    if (rest_.size() + bytes.size() > longest_) return too_long();
    rest_.append(bytes);
    return {};
  }

  // True if the stream ended in the middle of a line: it was cut.
  bool partial() const { return !rest_.empty(); }

 private:
  Result<> too_long() const {
    return fail(ErrorKind::TooLarge,
                "a line of the answer is longer than " + std::to_string(longest_) + " bytes");
  }
  std::size_t longest_;
  std::string rest_;
};

}  // namespace live_update
