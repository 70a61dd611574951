// A developer's machine in memory: one root with files, a watch of it, and the watcher's notes. It survives the
// watcher.
//
// What happens to files is told as InotifyWatch tells it, at once in the queue, and a little later to whoever waits;
// an overflow loses what is queued and says so. What happens behind a link that the filter follows is told under the
// link's name, too.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "test/sim/world/host_nodes.h"
#include "test/sim/world/random.h"
#include "test/sim/world/sim_loop.h"
#include "watcher/host.h"

namespace live_update::sim {

class ModelHost : public Host {
 public:
  ModelHost(SimLoop& loop, Random random) : loop_(loop), random_(random), files_(*this) {}

  // --- what a developer does
  void write(const std::string& path, const std::string& content);
  void link(const std::string& path, const std::string& target);
  void chmod(const std::string& path, unsigned mode);
  void remove(const std::string& path);  // with all below
  void rename(const std::string& from, const std::string& to);
  // All that the watch has not been asked for is lost, as after 16,384 events.
  void overflow();
  const HostNodes& nodes() const { return nodes_; }
  // As the kernel goes along a path; one at its end is followed, too, if `last`.
  LinkEnd end_of(const std::string& path, bool last) const;
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
    FileKind follow(const std::string& path) const override;
    LinkEnd end(const std::string& path) const override;
    std::vector<std::string> list(const std::string& directory) const override;
    Result<std::string> read(const std::string& path) const override;
    const std::string& root() const override { return root_; }
    std::expected<FileStatus, int> status(const std::string& path) const override;
    std::expected<FileStatus, int> status_behind(const std::string& path) const override;
    std::expected<std::string, int> link_target(const std::string& path) const override;
    Listing names(const std::string& directory) const override;
    std::expected<Reading, int> read(const std::string& path, Links links,
                                     std::uint64_t limit) const override;
    std::int64_t now_ns() const override;

   private:
    std::expected<FileStatus, int> status_at(const LinkEnd& end) const;
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
    Result<> append(const std::string& path, const std::string& bytes) override {
      text[path] += bytes;
      return {};
    }
  };

  HostNode& touch(const std::string& path, FileType type);
  void make_parents(const std::string& path);
  using Links = std::vector<std::pair<std::string, std::string>>;  // and where they lead
  Links links() const;
  void tell(const std::string& path, FileEvent::Kind kind) { tell(path, kind, links()); }
  void tell(const std::string& path, FileEvent::Kind kind, const Links& links);

  SimLoop& loop_;
  Random random_;
  HostNodes nodes_;
  std::uint64_t inodes_ = 0;
  Files files_;
  MemoryNotes notes_;
  std::vector<Watch*> watches_;
};

}  // namespace live_update::sim
