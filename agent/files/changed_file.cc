#include "agent/files/changed_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "agent/files/own_program.h"
#include "agent/files/temp_name.h"
#include "agent/files/tree_ops.h"

namespace live_update::agent {
namespace {

constexpr const char* kName = "changed";

std::string own_directory() {
  const std::string program = own_program();
  return program.substr(0, program.rfind('/') + 1);
}

}  // namespace

void ChangedFile::take(const Changed& part) {
  if (part.forget || state_ == State::Used) forget();
  if (!part.forget) add(part);
}

void ChangedFile::add(const Changed& part) {
  if (state_ == State::None) make();
  state_ = State::Open;
  std::string lines;
  for (const auto& path : part.paths) (lines += path) += '\n';
  for (std::string_view rest = lines; error_ == 0 && !rest.empty();) {
    const auto wrote = write(file_.get(), rest.data(), rest.size());
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0)
      error_ = errno;
    else
      rest.remove_prefix(static_cast<std::size_t>(wrote));
  }
}

void ChangedFile::make() {
  for (const std::string& place : {own_directory(), std::string("/tmp/"), std::string("/var/tmp/"),
                                   std::string("/run/"), std::string("/dev/shm/")})
    if (make_in(place)) return;
}

bool ChangedFile::make_in(const std::string& place) {
  place_ = place;
  directory_ = Fd(open(place.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  error_ = errno;
  if (!directory_) return false;
  clean_directory(directory_.get());
  name_ = next_temp_name();
  if (mkdirat(directory_.get(), name_.c_str(), 0700) != 0) {
    error_ = errno;
    return false;
  }
  const Fd own(openat(directory_.get(), name_.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  file_ = Fd(openat(own.get(), kName, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  error_ = file_ ? 0 : errno;
  if (!file_) remove_tree(directory_.get(), name_);
  return error_ == 0;
}

Try<std::string> ChangedFile::variable() {
  if (state_ == State::None) return std::string();
  state_ = State::Used;
  if (error_ != 0)
    return failed(errno_failure(error_, "cannot write the list of all changed paths to", place_));
  return std::string(kChangedFile) + '=' + place_ + name_ + '/' + kName;
}

void ChangedFile::forget() {
  if (file_) remove_tree(directory_.get(), name_);
  file_.reset();
  directory_.reset();
  state_ = State::None;
  error_ = 0;
}

}  // namespace live_update::agent
