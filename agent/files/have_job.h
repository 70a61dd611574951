// Answers Have, a slice at a time, so that everything else goes on meanwhile.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/files/content.h"
#include "agent/files/sync_root.h"

namespace live_update::agent {

class HaveJob {
 public:
  // Code BadRequest: the root or a path breaks the rules.
  static Try<HaveJob> start(const Have& have);

  // Works until a result is worth sending (64 KiB), all is done, or about this much has been read.
  void step(std::size_t bytes);
  // What has been found since the last time, if it is worth sending or all.
  std::optional<HaveResult> take();
  bool done() const { return pending_.empty() && !reading_; }

 private:
  HaveJob(const Have& have);
  void look(Wanted wanted);
  void list(SharedFd directory, const std::string& path, HaveEntry& entry);
  void add(HaveEntry entry);
  void read_on(std::size_t& bytes);

  std::uint32_t request_;
  bool below_;
  std::unique_ptr<SyncRoot> root_;
  std::vector<Wanted> pending_;  // the next one last
  struct Reading {
    Fd fd;
    HaveEntry entry;
    Sha256 sha;
  };
  std::optional<Reading> reading_;
  HaveResult found_;
  std::size_t found_bytes_ = 0;
};

}  // namespace live_update::agent
