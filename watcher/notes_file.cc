#include "watcher/notes_file.h"

#include <spdlog/fmt/fmt.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "run/content.h"

namespace live_update {

std::string seal_notes(std::string_view format, std::string_view body) {
  return fmt::format("{}{}\n{}", format, sha256(body), body);
}

Result<std::string_view> open_notes(std::string_view format, std::string_view text) {
  const auto end = text.find('\n');
  if (!text.starts_with(format) || end == std::string_view::npos)
    return fail(ErrorKind::Invalid, "it has another format");
  const std::string_view body = text.substr(end + 1);
  if (text.substr(format.size(), end - format.size()) != sha256(body))
    return fail(ErrorKind::Invalid, "it is damaged");
  return body;
}

std::string notes_path(const std::string& directory, const std::string& identity, const std::string& kind) {
  return fmt::format("{}/{}.{}", directory, sha256(identity).substr(sizeof "sha256:" - 1, 24), kind);
}

Result<std::optional<std::string>> read_notes(const std::string& path) {
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  if (!file && errno == ENOENT) return std::nullopt;
  if (!file) return fail(ErrorKind::Io, std::strerror(errno));
  std::ostringstream text;
  text << file.rdbuf();
  return std::move(text).str();
}

namespace {

void make_directory_of(const std::string& path) {
  const std::string directory = std::filesystem::path(path).parent_path();
  std::error_code error;
  std::filesystem::create_directories(directory, error);
  chmod(directory.c_str(), 0700);
}

}  // namespace

Result<> append_notes(const std::string& path, const std::string& text) {
  errno = 0;
  std::ofstream file(path, std::ios::binary | std::ios::app);
  if (!file && errno == ENOENT) {
    make_directory_of(path);
    file.open(path, std::ios::binary | std::ios::app);
  }
  file << text << std::flush;
  if (file) return {};
  return fail(ErrorKind::Io, std::strerror(errno));
}

Result<> replace_notes(const std::string& path, const std::string& text) {
  const std::string temporary = fmt::format("{}.{}", path, getpid());
  make_directory_of(path);
  std::ofstream file(temporary, std::ios::binary);
  file << text;
  file.close();
  if (file && rename(temporary.c_str(), path.c_str()) == 0) return {};
  const int problem = errno;
  unlink(temporary.c_str());
  return fail(ErrorKind::Io, std::strerror(problem));
}

}  // namespace live_update
