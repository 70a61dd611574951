#include "watcher/consent.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <thread>

#include "run/uv_loop.h"

using namespace live_update;

namespace {

// A person's end of a terminal.
struct Person {
  int keyboard = posix_openpt(O_RDWR | O_NOCTTY);
  int terminal = -1;

  Person() {
    REQUIRE(grantpt(keyboard) == 0);
    REQUIRE(unlockpt(keyboard) == 0);
    terminal = open(ptsname(keyboard), O_RDWR | O_NOCTTY | O_CLOEXEC);
    REQUIRE(terminal >= 0);
  }
  ~Person() { close(keyboard); }
  void type(const std::string& text) const {
    REQUIRE(write(keyboard, text.data(), text.size()) == static_cast<ssize_t>(text.size()));
  }
  // Whether nothing that was typed is left to be read.
  bool nothing_typed() const {
    int bytes = 0;
    return ioctl(terminal, FIONREAD, &bytes) == 0 && bytes == 0;
  }
};

}  // namespace

TEST_CASE("8.2 what was typed before a question is no answer to it") {
  const Person person;
  UvLoop loop;
  TerminalConsent consent(loop, person.terminal);
  person.type("y\n");
  while (person.nothing_typed()) std::this_thread::yield();
  std::thread answers([&] {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(5);
    while (!person.nothing_typed() && std::chrono::steady_clock::now() < end) std::this_thread::yield();
    const char no[] = "n\n";
    (void)!write(person.keyboard, no, 2);
  });
  CHECK_FALSE(consent.ask_now("Let it?"));
  answers.join();
}

TEST_CASE("8.2 while watching, too: for the first question, and for the next one after an answer") {
  const Person person;
  UvLoop loop;
  TerminalConsent consent(loop, person.terminal);
  std::vector<bool> answers;
  const auto note = [&](bool yes) {
    answers.push_back(yes);
    loop.stop();
  };
  person.type("y\ny\n");
  while (person.nothing_typed()) std::this_thread::yield();
  const Handle first = consent.ask("Let one?", note), second = consent.ask("Let two?", note);
  CHECK(person.nothing_typed());
  person.type("n\ny\n");
  const Handle deadline = loop.after(Millis(5000), [&] { loop.stop(); });
  loop.run();
  CHECK(answers == std::vector<bool>{false});
  CHECK(person.nothing_typed());
  person.type("yes\n");
  loop.run();
  CHECK(answers == std::vector<bool>{false, true});
}
