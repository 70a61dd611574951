// live-update-agent's end of the protocol on a container in memory (docs/agent-protocol.md): batches are staged
// and become visible at once, runs take time, one agent at a time serves a container.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/wire/agent_protocol.h"
#include "test/fakes/fake_api_server.h"
#include "test/sim/world/model_container.h"
#include "test/sim/world/random.h"
#include "test/sim/world/sim_loop.h"
#include "test/sim/world/trace.h"

namespace live_update::sim {

class ModelAgent : public std::enable_shared_from_this<ModelAgent> {
 public:
  struct World {
    SimLoop& loop;
    Trace& trace;
    Random& random;
    agent::Digest program;
  };
  // `restart`: the container is to be restarted. All outlive it; it ends with its container.
  ModelAgent(World world, ModelContainer& container, FakeExec exec, std::function<void()> restart);

  // Takes the container over from the agent before, says Hello and listens.
  void begin();
  // Another one has taken over, or the container is gone.
  void give_way();
  void die();

 private:
  struct Held {
    std::uint8_t type;
    bool last;
    std::string payload;
  };
  struct Staged {
    agent::File file;
    std::string path, content;
    bool is_link = false;
    std::string target;
  };
  struct Batch {
    agent::Begin begin;
    std::vector<std::string> deletes;
    std::vector<std::pair<std::string, std::uint16_t>> directories;
    std::vector<Staged> files;
    std::optional<agent::Failed> problem;
  };

  void answer(const agent::Answer& answer);
  void hear();
  void take(const agent::Frame& frame);
  void perform(const agent::Request& request);
  bool passes(const agent::Gate& gate, std::uint32_t request);
  std::string path_of(std::uint16_t root, const std::string& path);
  void refuse(agent::Code code, const std::string& path, const std::string& why);

  void act(const agent::Subject& subject);
  void act(const agent::Begin& begin);
  void act(const agent::File& file);
  void act(const agent::Data& data);
  void act(const agent::Symlink& link);
  void act(const agent::Directory& directory);
  void act(const agent::Delete& gone);
  void act(const agent::Commit& commit);
  void act(const agent::Run& run);
  void act(const agent::Restart& restart);
  void look(const agent::Have& have);
  void list(const agent::List& list);
  void finish_file();
  void apply();
  void remove(const std::string& path, std::vector<std::string>& later);
  void ended(const agent::Run& run, agent::RunHow how, int exit_code);
  agent::HaveEntry entry_of(const std::string& root, const agent::Wanted& wanted) const;

  World world_;
  ModelContainer& container_;
  FakeExec exec_;
  std::function<void()> restart_;
  agent::FrameReader reader_{0};
  agent::FrameWriter writer_;
  std::size_t read_ = 0;
  bool ended_ = false, failed_ = false;
  std::optional<Batch> batch_;
  std::optional<std::int64_t> skipping_;
  std::string subject_;    // the UID of the LiveUpdate whose batches come
  std::deque<Held> held_;  // behind a run
  Handle run_;
};

}  // namespace live_update::sim
