// A developer's machine in memory: one root with files, a watch of it, and the watcher's notes. It survives the
// watcher.
//
// What happens to files is told as InotifyWatch tells it, at once in the queue, and a little later to whoever waits;
// an overflow loses what is queued and says so.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "test/sim/world/random.h"
#include "test/sim/world/sim_loop.h"
#include "watcher/host.h"

namespace live_update::sim {

struct HostNode {
  FileType type = FileType::File;
  unsigned mode = 0644;
  std::string content;  // of a file
  std::uint64_t inode = 0;
  std::int64_t changed_ns = 0;
};
// By path, relative to the root; folders are named, too.
using HostNodes = std::map<std::string, HostNode>;

class ModelHost : public Host {
 public:
  ModelHost(SimLoop& loop, Random random) : loop_(loop), random_(random), files_(*this) {}

  // --- what a developer does
  void write(const std::string& path, const std::string& content);
  void chmod(const std::string& path, unsigned mode);
  void remove(const std::string& path);  // with all below
  void rename(const std::string& from, const std::string& to);
  // All that the watch has not been asked for is lost, as after 16,384 events.
  void overflow();
  const HostNodes& nodes() const { return nodes_; }
  std::vector<std::string> files_below(const std::string& directory) const;

  // --- the port
  const HostFiles& files() const override { return files_; }
  std::unique_ptr<TreeWatch> watch(const PathFilter& filter, TreeWatch::Callbacks callbacks) override;
  GitState git() const override { return {}; }
  Notes& notes() override { return notes_; }
  void lose_notes() { notes_.text.clear(); }

 private:
  class Watch;
  class Files : public HostFiles {
   public:
    explicit Files(const ModelHost& host) : host_(host) {}
    FileKind look(const std::string& path) const override;
    FileKind follow(const std::string& path) const override { return look(path); }
    LinkEnd end(const std::string& path) const override;
    std::vector<std::string> list(const std::string& directory) const override;
    Result<std::string> read(const std::string& path) const override;
    const std::string& root() const override { return root_; }
    std::expected<FileStatus, int> status(const std::string& path) const override;
    std::expected<FileStatus, int> status_behind(const std::string& path) const override {
      return status(path);
    }
    std::expected<std::string, int> link_target(const std::string& path) const override;
    Listing names(const std::string& directory) const override;
    std::expected<Reading, int> read(const std::string& path, Links links,
                                     std::uint64_t limit) const override;
    std::int64_t now_ns() const override;

   private:
    const ModelHost& host_;
    const std::string root_ = "/w";
  };
  struct MemoryNotes : Notes {
    std::map<std::string, std::string> text;
    Result<std::optional<std::string>> read(const std::string& path) const override {
      const auto found = text.find(path);
      if (found == text.end()) return std::optional<std::string>();
      return std::optional(found->second);
    }
    Result<> replace(const std::string& path, const std::string& bytes) override {
      text[path] = bytes;
      return {};
    }
  };

  HostNode& touch(const std::string& path, FileType type);
  void make_parents(const std::string& path);
  void tell(const std::string& path, FileEvent::Kind kind);

  SimLoop& loop_;
  Random random_;
  HostNodes nodes_;
  std::uint64_t inodes_ = 0;
  Files files_;
  MemoryNotes notes_;
  std::vector<Watch*> watches_;
};

}  // namespace live_update::sim
