// GitHead: what the git repository around a root has checked out, to see that a switch was on purpose
// (rule 7.4).
//
// Reads a few small files of the repository; runs nothing, and nothing that is read is sent anywhere. A root
// without a repository, or with one that cannot be read, has no head, and that is no change.
#pragma once

#include <optional>
#include <string>

#include "core/base/time.h"

namespace live_update {

struct GitState {
  std::string head;           // a digest of HEAD and the commit it leads to; empty: none
  std::optional<Time> moved;  // when one of the two was written last
  bool busy = false;          // git is at work: index.lock exists
};

// `root` is absolute.
GitState git_state(const std::string& root);

}  // namespace live_update
