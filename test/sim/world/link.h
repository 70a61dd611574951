// One process's connection to the API server: what is sent takes time, may be refused, may arrive though nobody
// waits for it any more, and its answer may be lost after the write took place. Watches lag and are cut.
//
// It outlives the process: what that had sent may still be on its way.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "test/fakes/fake_api_server.h"
#include "test/sim/world/random.h"
#include "test/sim/world/sim_loop.h"
#include "test/sim/world/trace.h"

namespace live_update::sim {

// What the network is like at present.
struct Weather {
  Micros lag{2'000};        // each message takes up to so long
  int refused = 0;          // in a thousand requests: 429, 500, 503
  int lost = 0;             // answers
  std::string forbidden;    // a host path: admission refuses ChangeSets that name it
  bool down = false;        // nothing goes through, in either direction
  Instant stalled_until{};  // what watches have to say waits
  int doubled = 0;  // events of watches, in a thousand: they come again, with some of those before them
};

class Link : public ApiServer {
 public:
  // `on_write` hears of each request that writes, when it reaches the API server.
  Link(SimLoop& loop, FakeApiServer& server, std::string name, Random random, Trace& trace,
       std::function<void(const Request&)> on_write);

  [[nodiscard]] Handle request(Request request,
                               std::move_only_function<void(Result<Response>)> done) override;
  [[nodiscard]] Handle watch(Request request, std::function<void(std::string)> on_line,
                             std::move_only_function<void(Result<>)> on_end) override;
  [[nodiscard]] std::unique_ptr<ExecSession> exec(ExecRequest request, ExecCallbacks callbacks) override;

  Weather weather;
  // Everything under way breaks.
  void cut();
  // What each watch has to say waits for a while of its own, up to this: kinds of objects are heard of in any order.
  void stall_apart(Micros most);

 private:
  struct Exchange;
  struct Watching;
  friend class LinkExec;
  struct Session;
  // Calls, one after the other, each after the lag of its own.
  class Pipe;

  Micros lag() { return Micros(random_.below(static_cast<int>(weather.lag.count()) + 1)); }
  void forward(const std::shared_ptr<Exchange>& exchange);
  void finish(const std::shared_ptr<Exchange>& exchange, Result<Response> result);
  std::optional<Error> trouble();
  void tell(Watching& watching, std::string line);
  void linger(std::shared_ptr<Session> session);

  SimLoop& loop_;
  FakeApiServer& server_;
  const std::string name_;
  Random random_;
  Trace& trace_;
  const std::function<void(const Request&)> on_write_;
  std::vector<std::weak_ptr<Exchange>> exchanges_;
  std::vector<std::weak_ptr<Watching>> watches_;
  std::vector<std::weak_ptr<Session>> sessions_;
};

}  // namespace live_update::sim
