// What the runs of one batch print, for those who watch: the last lines of each step, from the first
// container that prints anything. Pure.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/api/kinds.h"

namespace live_update {

class RunLog {
 public:
  // Output of a step in a container; that of other containers than the first is left out.
  void add(const std::string& container_id, const std::string& pod, int step, std::string_view bytes);
  // The container's runs are over: a last line without an end counts now.
  void finish(const std::string& container_id);
  // Whether there is more than at the last time this was asked.
  bool take_news() { return std::exchange(news_, false); }
  // By step. At most 100 lines and 16 KiB each.
  std::vector<RunOutput> runs() const;

 private:
  struct Step {
    std::int64_t first = 0;  // number of the first line that is kept
    std::vector<std::string> lines;
    std::size_t bytes = 0;
    std::string open;  // the line that has not ended
  };
  void keep(Step& step, std::string line);

  std::string container_id_, pod_;
  std::map<int, Step> steps_;
  bool news_ = false;
};

}  // namespace live_update
