// One exec session with live-update-agent in one container: puts the agent there, greets it, then carries
// requests and answers (docs/agent-protocol.md).
//
// On the loop. No event comes inside a call, none after destruction, which ends the agent.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/desired/delivery.h"
#include "core/wire/agent_protocol.h"
#include "kube/api_server.h"
#include "operator/agent/agent_program.h"
#include "operator/exec/stdin_feed.h"

namespace live_update {

// Why there is no session, or none any more.
struct AgentEnd {
  enum Kind {
    Lost,        // the connection or the container is gone, or silent: a new session may work
    Impossible,  // no agent can run there, for as long as the container lives: `tried` says what was tried
    Missing,     // what was to be executed is not there: sh, or Options::file; `tried` says so, too
    Replaced,    // what lies there is not our agent: open another session with `replace`
    Nonsense,    // the peer broke the protocol
    TakenOver,   // another session has the container: that of a second operator, if it was not ours
  } kind = Lost;
  Error error;
  std::vector<std::string> tried;
  bool killed = false;  // by a signal, as everything in a container that ends
};

class AgentSession {
 public:
  struct Options {
    std::vector<std::string> directories;  // where the agent may be put, the best first
    std::vector<std::string> shared;       // where others can write, too
    bool replace = false;                  // put it there even where a file of its name is
    std::string file;                      // it lies there already: no sh is needed
    Millis start{30'000};                  // from the exec until the agent's Hello
  };
  struct Events {
    std::function<void()> on_ready;
    std::function<void(const agent::Answer&)> on_answer;  // all but Hello
    std::function<void()> on_progress;                    // bytes have left
    std::function<void(const std::string&)> on_note;      // what the agent says of itself, for the log
    std::function<void(AgentEnd)> on_end;                 // once, last
  };

  // `programs` outlives it.
  AgentSession(ApiServer& api, After after, const ContainerRef& to, const AgentPrograms& programs,
               Options options, Events events);
  AgentSession(const AgentSession&) = delete;
  AgentSession& operator=(const AgentSession&) = delete;

  bool ready() const { return ready_; }
  const agent::Hello& agent() const { return hello_; }
  // What the container printed before the agent spoke (a shell profile).
  const std::string& noise() const { return reader_.noise(); }

  // Only when ready, as everything below; no event may destroy the session but on_end. A number for a
  // request.
  std::uint32_t next_request() { return ++requests_; }
  // Says of which LiveUpdate, by UID, the batches are that come now: for the agent's record. Not where others than the
  // container could write that.
  void concern(const std::string& live_update);
  // Frames are numbered in the order in which they are made: hand them to `send` at once, or make them in a
  // source.
  agent::FrameWriter& writer() { return writer_; }
  void send(std::string frames) { feed_.send(std::move(frames)); }
  // Whole frames, in pieces, as they can be sent (StdinFeed). An error of a source ends the session.
  void stream(ByteSource source) { feed_.stream(std::move(source)); }

 private:
  void take_stdout(std::string_view bytes);
  void take_stderr(std::string_view bytes);
  void take_note(std::string_view line);
  void put_program(const std::string& machine, bool as_text);
  void take_frames();
  void greet(const agent::Hello& hello);
  void refused(const agent::Failed& why);
  void exited(const Result<ExecExit>& exit);
  void end(AgentEnd::Kind kind, Error error);

  const AgentPrograms& programs_;
  const std::string container_id_;
  const std::vector<std::string> shared_;
  After after_;
  const Events events_;
  agent::FrameReader reader_{agent::kMaxNoise};
  agent::FrameWriter writer_;
  agent::Hello hello_;
  std::uint32_t requests_ = 0;
  int notes_ = 0;
  bool ready_ = false, ended_ = false;
  bool killed_ = false;
  bool put_ = false;          // the program was sent in this session
  std::string words_, said_;  // stderr: an unfinished line; the last one that is not the script's
  std::string file_;          // the agent's
  std::string live_update_;   // that the agent was told
  std::vector<std::string> tried_;
  Handle timer_, later_;
  StdinFeed feed_;
  std::unique_ptr<ExecSession> session_;
};

}  // namespace live_update
