// The paths of a batch as a file, for runs whose variable cannot hold them all (rule 4.6).
//
// Private: 0600, in a directory of its own, beside this program or where else there is room. It goes when the
// operator says so, and with this object; what a killed agent left goes with the next such file there.
#pragma once

#include <string>

#include "agent/system/failure.h"
#include "agent/system/fd.h"

namespace live_update::agent {

class ChangedFile {
 public:
  ChangedFile() = default;
  ~ChangedFile() { forget(); }
  ChangedFile(const ChangedFile&) = delete;
  ChangedFile& operator=(const ChangedFile&) = delete;

  void take(const Changed& part);
  // For the environment of a run: the variable, if there is a list; or why there should be one and is not.
  // Parts that come after this call begin a new list.
  Try<std::string> variable();

 private:
  void add(const Changed& part);
  void make();
  bool make_in(const std::string& place);
  void forget();

  enum class State { None, Open, Used } state_ = State::None;
  std::string place_, name_;
  Fd directory_, file_;
  int error_ = 0;  // errno of what went wrong with it
};

}  // namespace live_update::agent
