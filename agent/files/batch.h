// One batch: from its Begin over what is staged until all of it is visible at once (rules 4.1 to 4.5).
//
// add() stages: content lies under temporary names, in the destination's directory or the nearest one above
// that is there, and no reader sees anything of it. commit() switches; if a step fails, what was switched is
// put back. A batch that is destroyed without having been committed leaves nothing. Places that cannot be
// written fail it with commit(), so that the answer names them all; what cannot be deleted stays, and one
// warning says so.
#pragma once

#include <sys/stat.h>

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "agent/files/obstacles.h"
#include "agent/files/roots.h"
#include "agent/files/staged.h"
#include "agent/files/switch.h"

namespace live_update::agent {

class Batch {
 public:
  // `inflater` outlives it.
  Batch(const Begin& begin, Inflater& inflater);
  ~Batch();
  Batch(const Batch&) = delete;
  Batch& operator=(const Batch&) = delete;

  // Whether the roots are such that a batch can be made of them.
  Try<> open() { return roots_.open(); }
  // Code Protocol: the frames come in an order that makes no sense, and the session has to end.
  Try<> add(const File& file);
  Try<> add(const Data& data);
  Try<> add(const Symlink& symlink);
  Try<> add(const Directory& directory);
  Try<> add(const Delete& gone);
  Try<> commit();
  // After commit, when nobody waits any more: old contents go, and what dead agents left in the same
  // directories. `cleaned`: directories of this session that were looked at already.
  void clean(std::set<std::string>& cleaned);

  std::uint32_t request() const { return begin_.request; }
  std::int64_t sequence() const { return begin_.sequence; }
  const Gate& gate() const { return begin_.gate; }
  std::uint32_t changed() const { return switch_.changed(); }
  std::vector<Warning>& warnings() { return switch_.warnings(); }

 private:
  struct Put {
    Spot spot;
    StagedAt staged;
    File file;
    bool retouch = false;  // nothing staged: only the mode
    bool is_file = true;
    std::optional<Mtime> time;          // of a copy that stands for the old file
    std::unique_ptr<struct stat> same;  // of what is there, if it had the same content when this was staged
  };

  Try<> count_one();
  Try<> refuse(const Failure& failure, const std::string& with_content = "");
  Try<> pass_over(std::uint64_t bytes, bool last);
  // Where to stage for this destination: the nearest directory that is there and stays.
  Try<std::string> nearest(const Spot& spot);
  bool goes_away(const Spot& spot) const { return going_.contains(spot.shown()); }
  Try<StagedAt> place(const Spot& spot, bool file);
  // Whether something at the place of a directory's entry could be changed, as far as that can be seen.
  Try<> check_writable(const Spot& spot, std::string_view directory, const char* what);
  Try<> keep_content(Spot spot, const File& file);
  Try<Fd> open_file(const Spot& spot);
  Try<> finish_file();
  void remove_all();
  Try<> switch_one(const Put& put);
  Try<> switch_all();

  Begin begin_;
  Inflater& inflater_;
  Roots roots_;
  std::vector<std::string> made_;  // roots that were not there
  std::size_t entries_ = 0;

  std::vector<std::pair<Spot, DeleteHow>> deletes_;
  std::vector<std::pair<Spot, std::uint16_t>> directories_;
  std::vector<Put> puts_;
  std::set<std::string> going_;  // absolute paths that are deleted or become directories
  std::unique_ptr<StagedFile> open_file_;
  Spot open_spot_;
  Obstacles obstacles_;
  std::string passing_;  // the file whose content is coming and not wanted, as there are obstacles
  std::uint64_t passed_ = 0;
  std::map<SyncRoot*, std::set<std::string>> touched_;
  Switch switch_;
  bool committed_ = false;
};

}  // namespace live_update::agent
