#include "operator/agent/agent_session.h"

#include <algorithm>
#include <utility>

#include "core/api/conditions.h"
#include "core/base/path.h"
#include "core/base/text.h"
#include "operator/agent/agent_script.h"
#include "operator/exec/exec_diagnosis.h"
#include "operator/exec/output_tail.h"

namespace live_update {
namespace {

constexpr std::size_t kPiece = 64 * 1024;  // of the program
constexpr int kSignalled = 128;            // exit codes above: by that signal
constexpr std::size_t kMostTried = 64;
constexpr int kMostNotes = 16;
constexpr std::size_t kMostWords = 4096;  // of stderr that are kept of an unfinished line

// The program's bytes, as the script wants them.
ByteSource program_source(std::shared_ptr<const std::string> bytes, bool as_text) {
  return [bytes = std::move(bytes), as_text, at = std::size_t{0}]() mutable -> Result<Chunk> {
    const std::string_view piece = std::string_view(*bytes).substr(at, kPiece);
    at += piece.size();
    Chunk chunk{as_text ? printf_text(piece) : std::string(piece),
                at < bytes->size() ? Chunk::More : Chunk::End};
    if (as_text && chunk.then == Chunk::End) chunk.bytes += kPrintableEnd;
    return chunk;
  };
}

}  // namespace

AgentSession::AgentSession(ApiServer& api, After after, const ContainerRef& to, const AgentPrograms& programs,
                           Options options, Events events)
    : programs_(programs),
      container_id_(to.container_id),
      shared_(options.shared),
      after_(std::move(after)),
      events_(std::move(events)),
      file_(options.file),
      feed_(after_, {.on_written =
                         [this] {
                           if (events_.on_progress) events_.on_progress();
                         },
                     .on_broken = [this](Error error) { end(AgentEnd::Nonsense, std::move(error)); }}) {
  ExecCallbacks callbacks;
  callbacks.on_stdout = [this](std::string bytes) { take_stdout(bytes); };
  callbacks.on_stderr = [this](std::string bytes) { take_stderr(bytes); };
  callbacks.on_end = [this](Result<ExecExit> exit) { exited(exit); };
  auto command = options.file.empty()
                     ? agent_command(programs_, options.directories, options.shared, options.replace)
                     : std::vector<std::string>{options.file, std::string(kAgentServes)};
  session_ = api.exec({to.ns, to.pod, to.container, std::move(command), true}, std::move(callbacks));
  feed_.attach(*session_);
  timer_ = after_(options.start,
                  [this] { end(AgentEnd::Lost, {ErrorKind::Timeout, "the agent did not start in time"}); });
}

void AgentSession::take_stdout(std::string_view bytes) {
  if (ended_) return;
  reader_.feed(bytes);
  take_frames();
}

void AgentSession::take_frames() {
  while (!ended_) {
    const auto frame = reader_.next();
    if (!frame) return end(AgentEnd::Nonsense, frame.error());
    if (!*frame) return;
    const auto answer = agent::decode_answer(**frame);
    if (!answer) return end(AgentEnd::Nonsense, answer.error());
    if (const auto* hello = std::get_if<agent::Hello>(&*answer)) {
      greet(*hello);
    } else if (const auto* failed = std::get_if<agent::Failed>(&*answer); failed && failed->request == 0) {
      refused(*failed);
    } else if (const auto* warning = std::get_if<agent::Warning>(&*answer);
               warning && warning->request == 0) {
      if (ready_ && events_.on_note && notes_++ < kMostNotes) events_.on_note(clean_start(warning->text));
    } else if (ready_) {
      events_.on_answer(*answer);
    }
  }
}

// Another version, or something else under the agent's name, is noticed before anything is asked of it.
void AgentSession::greet(const agent::Hello& hello) {
  if (ready_) return end(AgentEnd::Nonsense, {ErrorKind::Invalid, "a second Hello"});
  const bool ours =
      std::ranges::any_of(programs_, [&](const auto& it) { return it.second.digest == hello.digest; });
  if (!ours || !agent::common_version(agent::Hello(), hello))
    return end(AgentEnd::Replaced,
               {ErrorKind::Invalid, file_ + " in the container is \"" + clean_start(hello.program) +
                                        "\" and not the agent of this operator"});
  hello_ = hello;
  ready_ = true;
  timer_.reset();
  std::string greeting;
  agent::Hello us;
  us.program = "live-update-operator " LIVE_UPDATE_VERSION;
  writer_.append(greeting, agent::Request(us));
  send(std::move(greeting));
  events_.on_ready();
}

void AgentSession::concern(const std::string& live_update) {
  const bool able = (hello_.features & agent::kFeatureRecord) != 0;
  const bool shared = std::ranges::any_of(shared_, [&](auto& it) { return at_or_below(file_, it); });
  if (!able || shared || container_id_.empty() || live_update.empty() || live_update == live_update_) return;
  live_update_ = live_update;
  std::string frames;
  writer_.append(frames, agent::Request(agent::Subject{container_id_, live_update_}));
  send(std::move(frames));
}

void AgentSession::refused(const agent::Failed& why) {
  if (why.code != agent::Code::TakenOver)
    return end(AgentEnd::Nonsense,
               {ErrorKind::Invalid, "the agent ended the session: " + clean_start(why.reason)});
  end(AgentEnd::TakenOver, {ErrorKind::Conflict, clean_start(why.reason) + "; " + clean_start(why.remedy)});
}

void AgentSession::take_stderr(std::string_view bytes) {
  if (ready_) return;  // what the agent itself says there is for nobody
  words_ += bytes;
  std::size_t at = 0;
  for (std::size_t end; !ended_ && (end = words_.find('\n', at)) != std::string::npos; at = end + 1)
    take_note(std::string_view(words_).substr(at, end - at));
  words_.erase(0, at);
  if (words_.size() > kMostWords) words_.erase(0, words_.size() - kMostWords);
}

void AgentSession::take_note(std::string_view line) {
  const auto note = agent_note(line);
  if (!note) {
    said_ = clean_start(line);
    return;
  }
  if (note->kind == AgentNote::Need) put_program(note->machine, note->as_text);
  if (note->kind == AgentNote::Start) file_ = clean_start(note->text);
  if (note->kind == AgentNote::Tried && tried_.size() < kMostTried) tried_.push_back(clean_start(note->text));
}

void AgentSession::put_program(const std::string& machine, bool as_text) {
  if (std::exchange(put_, true)) return;
  if (const auto program = programs_.find(machine); program != programs_.end())
    stream(program_source(program->second.bytes, as_text));
}

void AgentSession::exited(const Result<ExecExit>& exit) {
  if (!exit) {
    if (diagnose({}, exit.error()).reason != reason::kToolMissing) return end(AgentEnd::Lost, exit.error());
    tried_.push_back(file_.empty() ? "sh: the image has none" : file_ + ": " + clean(exit.error().message));
    return end(AgentEnd::Missing, exit.error());
  }
  const std::string how = "ended with exit code " + std::to_string(exit->code);
  const Error error{ErrorKind::Unavailable, "the agent " + how};
  const bool of_script = exit->code == kNoAgentExit || exit->code == kIncompleteAgentExit;
  killed_ = exit->code > kSignalled && !of_script;
  if (ready_ && exit->code == agent::kExitTakenOver)
    return end(AgentEnd::TakenOver, {ErrorKind::Conflict, "another session has taken over the container"});
  if (ready_ || killed_) return end(AgentEnd::Lost, error);
  if (of_script) return end(AgentEnd::Impossible, error);
  tried_.push_back((file_.empty() ? "sh" : file_) + ": " + how + (said_.empty() ? "" : " (" + said_ + ")"));
  end(put_ || file_.empty() ? AgentEnd::Impossible : AgentEnd::Replaced, error);
}

void AgentSession::end(AgentEnd::Kind kind, Error error) {
  if (std::exchange(ended_, true)) return;
  timer_.reset();
  feed_.stop();
  later_ = after_(Millis(0), [on_end = events_.on_end,
                              how = AgentEnd{kind, std::move(error), tried_, killed_}] { on_end(how); });
}

}  // namespace live_update
