#include "agent/system/failure.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace live_update::agent {
namespace {

Code code_of(int error) {
  switch (error) {
    case ENOSPC:
    case EDQUOT:
      return Code::NoSpace;
    case EROFS:
      return Code::ReadOnly;
    case EACCES:
    case EPERM:
      return Code::Permission;
    case ELOOP:
      return Code::Escapes;
    default:
      return Code::Io;
  }
}

std::string remedy_of(int error) {
  const auto uid = std::to_string(geteuid());
  switch (error) {
    case ENOSPC:
      return "free space or inodes on that file system, or give the volume more";
    case EDQUOT:
      return "the quota of uid " + uid + " is used up: raise it, or free space";
    case EROFS:
      return "mount a writable volume (an emptyDir) there, or unset readOnlyRootFilesystem";
    case EACCES:
    case EPERM:
      return "let uid " + uid +
             " write there: change the owner in the image, or set runAsUser or fsGroup in the pod";
    case ELOOP:
      return "nothing is written through a symlink: remove it in the container, or let the sync lead to "
             "where it points";
    case ENAMETOOLONG:
      return "shorten the path";
    case EXDEV:
      return "let the sync root be within one file system";
    case EBUSY:
      return "something is mounted there: let the sync lead elsewhere";
    case ETXTBSY:
      return "the program is running: mount its directory instead of the single file";
    default:
      return "";
  }
}

}  // namespace

Failed Failure::answer(std::uint32_t request) const {
  constexpr std::size_t kMost = 2 * kMaxPath;
  return {request, code, error, path.substr(0, kMost), reason.substr(0, 2 * kMost), remedy.substr(0, kMost)};
}

std::string errno_text(int error) {
  const char* text = strerrordesc_np(error);
  const char* name = strerrorname_np(error);
  if (!text || !name) return "errno " + std::to_string(error);
  return std::string(text) + " (" + name + ")";
}

Failure errno_failure(int error, std::string_view what, std::string path) {
  auto reason = std::string(what) + " " + path + ": ";
  reason += error == ELOOP ? "a part of the path is a symlink" : errno_text(error);
  return {code_of(error), error, std::move(path), std::move(reason), remedy_of(error)};
}

}  // namespace live_update::agent
