#include "watcher/file_system.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "core/base/path.h"

namespace live_update {
namespace {

FileKind kind_of(const struct stat& info) {
  if (S_ISREG(info.st_mode)) return FileKind::File;
  if (S_ISDIR(info.st_mode)) return FileKind::Directory;
  return S_ISLNK(info.st_mode) ? FileKind::Symlink : FileKind::Special;
}

// Links in a circle lead to nothing.
FileKind kind_of_error(int error) {
  const bool absent = error == ENOENT || error == ENOTDIR || error == ELOOP;
  return absent ? FileKind::Missing : FileKind::Unknown;
}

}  // namespace

FileKind PosixFileSystem::look(const std::string& path) const {
  struct stat info{};
  return lstat(absolute(path).c_str(), &info) == 0 ? kind_of(info) : kind_of_error(errno);
}

FileKind PosixFileSystem::follow(const std::string& path) const {
  struct stat info{};
  return stat(absolute(path).c_str(), &info) == 0 ? kind_of(info) : kind_of_error(errno);
}

LinkEnd PosixFileSystem::end(const std::string& path) const {
  std::error_code error;
  const auto root = std::filesystem::canonical(root_, error);
  return error ? LinkEnd{} : link_end(root, path);
}

std::vector<std::string> PosixFileSystem::list(const std::string& directory) const {
  std::vector<std::string> names;
  std::error_code error;
  for (std::filesystem::directory_iterator it(absolute(directory), error), end; !error && it != end;
       it.increment(error)) {
    names.push_back(it->path().filename().string());
  }
  std::ranges::sort(names);
  return names;
}

Result<std::string> PosixFileSystem::read(const std::string& path) const {
  const FileKind kind = follow(path);
  if (kind == FileKind::Missing) return fail(ErrorKind::NotFound, path + " does not exist in " + root_);
  if (kind == FileKind::Unknown)
    return fail(ErrorKind::Io, path + " cannot be looked at: " + std::strerror(errno));
  if (kind != FileKind::File) return fail(ErrorKind::Io, path + " is no file");
  errno = 0;
  std::ifstream in(absolute(path), std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(in), {}};
  if (in.bad() || !in.is_open())
    return fail(ErrorKind::Io, path + " cannot be read: " + std::strerror(errno));
  return text;
}

std::string root_of(const std::string& file, const std::string& given) {
  if (!given.empty()) return given;
  if (file.empty() || file == "-") return ".";
  return std::string(parent_path(file));
}

}  // namespace live_update
