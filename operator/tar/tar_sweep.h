// What only a container has, looked for and deleted by its sh, for `deletes: Mirror` by transport `Tar` (rule 4.5).
//
// One exec for each level of folders, then one for the deletes, with the same guards as all others have
// (tar_script.h). On the loop. Whatever goes wrong here is a warning: the files of the batch arrive all the same.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/desired/mirror_sweep.h"
#include "operator/exec/exec_step.h"
#include "operator/tar/list_script.h"

namespace live_update {

class TarSweep {
 public:
  struct Outcome {
    std::string held;  // as Delivered has it
    std::vector<std::string> warnings;
  };
  // `done` comes once, on a later turn, and may destroy it; destroying it before cuts the connection.
  TarSweep(ApiServer& api, After after, ContainerRef to, std::shared_ptr<const Mirror> mirror,
           std::function<void(Outcome)> done);

 private:
  void next();
  void list(MirrorSweep::Question question);
  void listed(const ExecReport& report);
  void remove();
  void remove_next();
  void removed(const ExecReport& report);
  void work();
  void end();
  ExecRequest request(Argv command) const {
    return {to_.ns, to_.pod, to_.container, std::move(command), false};
  }

  ApiServer& api_;
  const After after_;
  const ContainerRef to_;
  MirrorSweep sweep_;
  const std::function<void(Outcome)> done_;
  Outcome outcome_;
  std::vector<std::size_t> asked_;  // the numbers of the folders that are being listed
  std::unique_ptr<ListReader> reader_;
  std::vector<BatchCommand> commands_;  // that delete
  std::size_t command_ = 0;
  Handle later_;
  std::unique_ptr<ExecStep> exec_;
};

}  // namespace live_update
