#include "agent/files/obstacles.h"

#include <cstring>

#include "agent/files/sync_root.h"

namespace live_update::agent {
namespace {

constexpr std::size_t kMostNamed = 5, kMostCounted = 1000;

bool is_about_a_place(Code code) {
  return code == Code::Permission || code == Code::ReadOnly || code == Code::Escapes || code == Code::Io;
}

}  // namespace

bool Obstacles::take(const Failure& failure) {
  if (!is_about_a_place(failure.code) || directories_.size() == kMostCounted) return false;
  if (!directories_.emplace(parent_of(failure.path)).second) return true;
  if (!first_) {
    first_ = failure;
  } else if (directories_.size() <= kMostNamed) {
    const char* name = failure.error == first_->error ? nullptr : strerrorname_np(failure.error);
    others_.push_back(failure.path + (name ? " (" + std::string(name) + ")" : ""));
  }
  return true;
}

Failure Obstacles::failure() const {
  Failure all = *first_;
  for (const auto& other : others_) all.reason += (&other == &others_.front() ? "; also " : ", ") + other;
  if (directories_.size() > kMostNamed)
    all.reason += " and " + std::to_string(directories_.size() - kMostNamed) + " more";
  return all;
}

}  // namespace live_update::agent
