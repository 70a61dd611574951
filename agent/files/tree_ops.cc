#include "agent/files/tree_ops.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "agent/system/fd.h"

namespace live_update::agent {
namespace {

int remove_below(int parent, const std::string& name, dev_t device) {
  struct stat there;
  if (fstatat(parent, name.c_str(), &there, AT_SYMLINK_NOFOLLOW) != 0) return errno == ENOENT ? 0 : errno;
  if (!S_ISDIR(there.st_mode)) return unlinkat(parent, name.c_str(), 0) == 0 || errno == ENOENT ? 0 : errno;
  if (there.st_dev != device) return EBUSY;
  Fd directory(openat(parent, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!directory) return errno;
  int first = 0;
  for (const auto& child : names_in(directory.get(), first)) {
    const int error = remove_below(directory.get(), child, device);
    if (first == 0) first = error;
  }
  if (unlinkat(parent, name.c_str(), AT_REMOVEDIR) != 0 && errno != ENOENT && first == 0) first = errno;
  return first;
}

}  // namespace

std::vector<std::string> names_in(int directory, int& error) {
  std::vector<std::string> names;
  DIR* stream = nullptr;
  // A descriptor of its own: the caller's may be O_PATH, and keeps its position.
  const int fd = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0 || !(stream = fdopendir(fd))) {
    error = errno;
    if (fd >= 0) close(fd);
    return names;
  }
  while (const dirent* entry = readdir(stream)) {
    if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
      names.emplace_back(entry->d_name);
  }
  closedir(stream);
  return names;
}

int remove_tree(int directory, const std::string& name) {
  struct stat there;
  if (fstatat(directory, name.c_str(), &there, AT_SYMLINK_NOFOLLOW) != 0) return errno == ENOENT ? 0 : errno;
  return remove_below(directory, name, there.st_dev);
}

}  // namespace live_update::agent
