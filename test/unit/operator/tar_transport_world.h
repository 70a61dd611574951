// A transport Tar whose execs are scripted, and whose longer timers go off when the test says so.
#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <deque>
#include <map>

#include "core/desired/delivery.h"
#include "operator/tar/tar_transport.h"
#include "run/uv_loop.h"
#include "test/fakes/fake_api_server.h"
#include "test/fakes/turns.h"

namespace live_update {

// A transport whose longer timers go off when the test says so.
class TarSituation {
 public:
  TarSituation() {
    api.on_exec = [this](FakeExec& exec) {
      execs.push_back(exec);
      if (answer) answer(execs.back());
    };
  }

  TarSituation& given(Delivery it) {
    delivery = std::make_shared<Delivery>(std::move(it));
    return *this;
  }
  void deliver() {
    job = transport.deliver(
        {"shop", "web-1", "web", "containerd://1"}, delivery,
        [this](DeliveryOutcome it) {
          CHECK(!outcome);
          outcome = std::move(it);
          job.reset();  // the owner forgets it right here
        },
        [this](int step, std::string_view bytes) {
          printed += std::to_string(step) + ":" + std::string(bytes);
        });
    CHECK(!outcome);  // never inside the call
    turn();
  }
  // Lets everything happen that can happen without time passing.
  void turn() { live_update::turn(loop); }
  // The timer of this length goes off; false if there is none.
  bool pass(Millis delay) {
    for (auto it = timers.begin(); it != timers.end(); ++it) {
      if (it->second.first != delay) continue;
      Callback work = std::move(it->second.second);
      timers.erase(it);
      work();
      turn();
      return true;
    }
    return false;
  }
  std::string told() const {
    if (!outcome) return "nothing yet";
    if (const auto* it = std::get_if<NotDelivered>(&*outcome))
      return it->reason + (it->curable ? ", curable: " : ": ") + it->message;
    std::string text = "delivered";
    for (const RunFailure& it : std::get<Delivered>(*outcome).failures) {
      text += "; step " + std::to_string(it.step) +
              (it.timed_out ? " timed out: " : " exit " + std::to_string(it.exit_code) + ": ") + it.tail;
    }
    for (int step : std::get<Delivered>(*outcome).skipped)
      text += "; step " + std::to_string(step) + " skipped";
    for (const auto& it : std::get<Delivered>(*outcome).warnings) text += "; " + it;
    return text;
  }
  // The words of a command after its script.
  std::string words(std::size_t exec) const {
    std::string text;
    const auto& command = execs.at(exec).request().command;
    for (std::size_t i = 4; i < command.size(); ++i) text += (i > 4 ? "|" : "") + command[i];
    return text;
  }

  std::string printed;  // by runs
  UvLoop loop;
  FakeApiServer api{loop};
  std::map<int, std::pair<Millis, Callback>> timers;
  int next_timer = 0;
  TarTransport transport{api,
                         [this](Millis delay, Callback work) -> Handle {
                           if (delay == Millis(0)) return loop.after(delay, std::move(work));
                           timers[++next_timer] = {delay, std::move(work)};
                           return Handle([this, id = next_timer] { timers.erase(id); });
                         },
                         [] { return Time(); }};
  std::shared_ptr<const Delivery> delivery;
  std::deque<FakeExec> execs;
  std::function<void(FakeExec&)> answer = [](FakeExec& it) { it.exit(0); };
  std::optional<DeliveryOutcome> outcome;
  Handle job;
};

}  // namespace live_update
