#include "watcher/consent.h"

#include <fcntl.h>
#include <spdlog/fmt/fmt.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "core/base/path.h"
#include "core/base/text.h"
#include "core/rules/mapping.h"
#include "watcher/console.h"

namespace live_update {
namespace {

constexpr Millis kBackground{500};  // how long to wait for the foreground

bool says_yes(std::string line) {
  std::ranges::transform(line, line.begin(), [](unsigned char c) { return std::tolower(c); });
  return line == "y" || line == "yes";
}

std::string joined(const std::vector<std::string>& texts) {
  std::string out;
  for (const std::string& text : texts) out += (out.empty() ? "" : ", ") + visible(text);
  return out.empty() ? "nothing" : out;
}

// A field manager is a text that whoever writes chooses: it proves nothing, and no field says who it was.
std::string writer_of(const LiveUpdate& live_update) {
  const LastWriter& writer = live_update.writer;
  if (writer.manager.empty()) return "";
  return fmt::format("last changed{}, by a program that calls itself {}",
                     writer.time ? " at " + format_time(*writer.time).substr(0, 19) + "Z" : "",
                     visible(writer.manager));
}

}  // namespace

TerminalConsent::TerminalConsent(Loop& loop) : loop_(loop) {
  if (isatty(STDIN_FILENO) && isatty(STDERR_FILENO))
    terminal_ = open("/dev/tty", O_RDONLY | O_NOCTTY | O_CLOEXEC);
}

TerminalConsent::~TerminalConsent() {
  readable_.reset();
  if (terminal_ >= 0) close(terminal_);
}

bool TerminalConsent::ask_now(const std::string& question) {
  tcflush(terminal_, TCIFLUSH);  // what was typed before is no answer
  print(stderr, question + " [y/N] ");
  std::string line;
  for (char c = 0; ::read(terminal_, &c, 1) == 1 && c != '\n';) line += c;
  return says_yes(line);
}

Handle TerminalConsent::ask(const std::string& question, std::function<void(bool)> answer) {
  const std::uint64_t id = ++last_id_;
  questions_.push_back({id, question, std::move(answer)});
  if (questions_.size() == 1) listen();
  return Handle([this, id] {
    const bool shown = !questions_.empty() && questions_.front().id == id;
    questions_.remove_if([id](const Question& it) { return it.id == id; });
    if (shown) listen();
  });
}

// Shows the first question, and waits for a line.
void TerminalConsent::listen() {
  typed_.clear();
  readable_.reset();
  if (questions_.empty()) return;
  tcflush(terminal_, TCIFLUSH);  // what was typed for another question is no answer to this one
  print(stderr, questions_.front().text + " [y/N] ");
  readable_ = loop_.on_readable(terminal_, [this] { read(); });
}

// What is typed while another program has the terminal is not for us, and reading it would stop us.
void TerminalConsent::read() {
  if (const pid_t owner = tcgetpgrp(terminal_); owner > 0 && owner != getpgrp()) {
    readable_ =
        loop_.after(kBackground, [this] { readable_ = loop_.on_readable(terminal_, [this] { read(); }); });
    return;
  }
  char buffer[256];
  const ssize_t count = ::read(terminal_, buffer, sizeof buffer);
  if (count == 0 || (count < 0 && errno != EAGAIN && errno != EINTR)) return readable_.reset();
  for (ssize_t i = 0; i < count; ++i) {
    if (buffer[i] == '\n') return answered(std::exchange(typed_, {}));
    typed_ += buffer[i];
  }
}

void TerminalConsent::answered(const std::string& line) {
  const Question question = std::move(questions_.front());
  questions_.pop_front();
  listen();
  question.answer(says_yes(line));
}

std::vector<std::string> say_reach(const LiveUpdate& live_update, const AcceptedKey& key) {
  const LiveUpdateSpec& spec = live_update.spec;
  std::vector<std::string> sent;
  for (const Step& step : spec.steps)
    if (const auto* sync = std::get_if<Sync>(&step)) sent.push_back(clean_path(sync->from));
  std::vector<std::string> lines{
      fmt::format("LiveUpdate {}/{} was not accepted on this machine yet. Of what is below {} it", key.ns,
                  key.name, visible(key.root)),
      "  sends       " + joined(sent),
      "  watches     " + joined(context_of(spec)),
  };
  std::string left_out = spec.source.ignore.empty() ? "" : joined(spec.source.ignore);
  if (!spec.source.ignore_file.empty())
    left_out += (left_out.empty() ? "what " : ", and what ") + visible(spec.source.ignore_file) + " says";
  if (!left_out.empty()) lines.push_back("  leaves out  " + left_out);
  if (const std::string writer = writer_of(live_update); !writer.empty())
    lines.push_back("It was " + writer + ", which proves nothing of who it was.");
  return lines;
}

std::vector<std::string> say_further(const LiveUpdate& live_update, const Ceiling& ceiling,
                                     const std::vector<FieldError>& further) {
  const std::string writer = writer_of(live_update);
  std::vector<std::string> lines{
      fmt::format("the LiveUpdate in the cluster reaches further into this machine than {}{}:",
                  ceiling.has_file() ? ceiling.file() + " says" : std::string("was accepted here"),
                  writer.empty() ? "" : " (" + writer + ")")};
  for (const FieldError& it : further)
    lines.push_back(fmt::format("  {}: {}", it.field, visible(it.message)));
  return lines;
}

std::string say_remedy(const Ceiling& ceiling) {
  return ceiling.has_file()
             ? fmt::format("if it is meant, put it into {}, or start again with --accept-spec",
                           ceiling.file())
             : std::string("if it is meant, start again with --accept-spec, or give its file with -f");
}

}  // namespace live_update
