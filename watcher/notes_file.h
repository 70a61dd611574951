// Files of the watcher's own between two runs: a line with format and SHA-256 of the rest, then the rest.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "core/base/result.h"

namespace live_update {

// `format` ends in a blank: "live-update manifest 1 ".
std::string seal_notes(std::string_view format, std::string_view body);
// The body. Invalid: of another format, or damaged.
Result<std::string_view> open_notes(std::string_view format, std::string_view text);

// `<directory>/<hash of the identity>.<kind>`.
std::string notes_path(const std::string& directory, const std::string& identity, const std::string& kind);
// Everything in the file; nothing if there is none. Io: it is there and cannot be read; the reason alone.
Result<std::optional<std::string>> read_notes(const std::string& path);
// Atomic: a reader finds the old text or the new one. Makes the directory (0700). Io, with the reason alone.
Result<> replace_notes(const std::string& path, const std::string& text);

// One more piece at the end; makes file and directory. Io, with the reason alone.
Result<> append_notes(const std::string& path, const std::string& text);

// The port to these files, for who must be testable without a disk.
class Notes {
 public:
  virtual ~Notes() = default;
  virtual Result<std::optional<std::string>> read(const std::string& path) const = 0;  // as read_notes
  virtual Result<> replace(const std::string& path, const std::string& text) = 0;      // as replace_notes
  virtual Result<> append(const std::string& path, const std::string& text) = 0;       // as append_notes
};

class DiskNotes : public Notes {
 public:
  Result<std::optional<std::string>> read(const std::string& path) const override { return read_notes(path); }
  Result<> replace(const std::string& path, const std::string& text) override {
    return replace_notes(path, text);
  }
  Result<> append(const std::string& path, const std::string& text) override {
    return append_notes(path, text);
  }
};

}  // namespace live_update
