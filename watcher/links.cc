#include "watcher/links.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <memory>

#include "core/base/text.h"

namespace live_update {

LinkEnd link_end(const std::string& root, const std::string& path) {
  const std::string name = path.empty() ? root : root + '/' + path;
  const std::unique_ptr<char, decltype(&std::free)> real(realpath(name.c_str(), nullptr), &std::free);
  if (!real) return {};
  const std::string end = real.get();
  if (end == root) return {LinkEnd::Inside, ""};
  const std::string above = root == "/" ? root : root + '/';
  if (!end.starts_with(above)) return {LinkEnd::Outside, end};
  return {LinkEnd::Inside, end.substr(above.size())};
}

int open_without_links(const std::string& absolute) {
  open_how how{};
  how.flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
  how.resolve = RESOLVE_NO_SYMLINKS;
  const long fd = syscall(SYS_openat2, AT_FDCWD, absolute.c_str(), &how, sizeof how);
  if (fd < 0 && (errno == ENOSYS || errno == EPERM)) errno = ELOOP;  // an old kernel, or not allowed to ask
  return static_cast<int>(fd);
}

std::string say_refused(const LinkEnd& end) {
  if (end.where == LinkEnd::Nowhere) return "a link that leads to nothing";
  return "a link that leads out of the root, to " + visible(end.path);
}

}  // namespace live_update
