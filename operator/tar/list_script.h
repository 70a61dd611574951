// What is in some folders of a container, told by its sh alone, for `deletes: Mirror` by transport `Tar` (rule 4.5). Pure.
//
// No `find`: not every image has one, and not every one prints names so that line breaks in them do no harm. Only what a
// POSIX sh has in itself is used. Each folder is listed by itself, as the operator decides which of them to enter.
#pragma once

#include <cstddef>
#include <functional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/desired/mirror_sweep.h"
#include "operator/tar/tar_script.h"

namespace live_update {

// `folders` are relative to `root`, "": itself.
Argv list_command(const std::string& root, const std::vector<std::string>& folders);

// What it prints, in any pieces.
class ListReader {
 public:
  struct Events {
    std::function<void(std::size_t folder, std::string name, FoundKind kind)> found;
    std::function<void(std::size_t folder, bool absent)> unlisted;
  };
  // So many folders were asked for.
  ListReader(std::size_t folders, Events events) : asked_(folders), events_(std::move(events)) {}

  void feed(std::string_view bytes);
  // Why it is no use, once nothing more comes; empty: all was told.
  std::string trouble() const;

 private:
  void take(std::string record);
  void enter(std::string path);
  bool is_mounted(const std::string& path) const { return mounts_.contains(path); }
  bool crosses_mount(std::string_view path) const;
  void wrong() { trouble_ = "what its sh says makes no sense"; }

  const std::size_t asked_;
  const Events events_;
  std::string buffer_;
  std::set<std::string> mounts_;
  std::string root_, here_;  // without symlinks
  std::size_t folders_ = 0;  // told of
  bool begun_ = false, ended_ = false, listing_ = false;
  std::string trouble_;
};

}  // namespace live_update
