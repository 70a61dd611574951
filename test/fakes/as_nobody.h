// For tests about rights: root reads everything, so the test goes on as another user while this lives. Make it
// before the files: they belong to that user then.
#pragma once

#include <unistd.h>

namespace live_update {

class AsNobody {
 public:
  AsNobody() : was_(geteuid()) {
    if (was_ == 0 && seteuid(65534) != 0) was_ = 65534;
  }
  ~AsNobody() {
    if (was_ != geteuid()) (void)!seteuid(was_);
  }
  AsNobody(const AsNobody&) = delete;
  AsNobody& operator=(const AsNobody&) = delete;

 private:
  uid_t was_;
};

}  // namespace live_update
