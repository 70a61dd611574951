// What people are asked before a LiveUpdate may read more of their machine, and how they answer (rules 8.1,
// 8.2).
#pragma once

#include <functional>
#include <list>
#include <string>
#include <vector>

#include "core/api/codec.h"
#include "run/loop.h"
#include "watcher/ceiling.h"

namespace live_update {

class Consent {
 public:
  virtual ~Consent() = default;
  // Whether there is somebody to ask.
  virtual bool can_ask() const = 0;
  // Asks until it is answered, or the Handle is gone; one question after the other. False: no.
  [[nodiscard]] virtual Handle ask(const std::string& question, std::function<void(bool)> answer) = 0;
};

// A terminal, while the program is in its foreground: "question [y/N] ".
class TerminalConsent : public Consent {
 public:
  // Of the terminal that the program was started from, if a person sits there.
  explicit TerminalConsent(Loop& loop);
  // Of this one, which it closes at the end.
  TerminalConsent(Loop& loop, int terminal) : loop_(loop), terminal_(terminal) {}
  ~TerminalConsent() override;
  bool can_ask() const override { return terminal_ >= 0; }
  Handle ask(const std::string& question, std::function<void(bool)> answer) override;
  // Before the loop runs.
  bool ask_now(const std::string& question);

 private:
  struct Question {
    std::uint64_t id = 0;
    std::string text;
    std::function<void(bool)> answer;
  };
  void listen();
  void read();
  void answered(const std::string& line);

  Loop& loop_;
  int terminal_ = -1;
  std::uint64_t last_id_ = 0;
  std::list<Question> questions_;  // the first one was shown
  std::string typed_;
  Handle readable_;
};

// What a spec would read below a root, and when it was changed by what claims to be which program: for the first time that it is seen here.
std::vector<std::string> say_reach(const LiveUpdate& live_update, const AcceptedKey& key);
// Where it reaches further than its ceiling.
std::vector<std::string> say_further(const LiveUpdate& live_update, const Ceiling& ceiling,
                                     const std::vector<FieldError>& further);
// What whoever cannot be asked may do.
std::string say_remedy(const Ceiling& ceiling);

}  // namespace live_update
