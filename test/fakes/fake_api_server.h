// An API server in memory, for tests of whatever talks through the ApiServer port.
//
//   UvLoop loop;
//   FakeApiServer api(loop);
//   api.objects.set("/api/v1/namespaces/shop/pods/web-1", R"({"spec":...,"status":...})");
//   api.fail_next(Method::Patch, "/status", {ErrorKind::Unavailable, "etcd is away"});
//   api.on_exec = [](FakeExec& exec) { exec.out("hello"); exec.exit(0); };
//
// Create, get, list (pages, selectors), replace, merge, JSON and apply patch, delete and watch work on
// `objects`, with resourceVersions, generations, uids, finalizers and preconditions as a real one has them.
// Answers come on a later turn of the loop, in the order of the requests; destroying a Handle cancels. Loop
// thread only.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "kube/api_server.h"
#include "test/fakes/fake_objects.h"

namespace live_update {

// The server's end of an exec session, in the hands of the test.
class FakeExec {
 public:
  const ExecRequest& request() const;
  const std::string& input() const;  // everything written so far
  bool input_closed() const;
  bool alive() const;  // the client still has its session, and it has not ended

  // `work` is called when more was written or stdin was closed, and once now if that was already so.
  void on_input(std::function<void()> work);

  // What the command does. Each arrives on a later turn, in order.
  void out(std::string bytes);
  void err(std::string bytes);
  void exit(int code);
  void cut(Error error);  // the connection breaks, or the command could not be started

 private:
  friend class FakeApiServer;
  friend class FakeExecSession;
  struct State;
  explicit FakeExec(std::shared_ptr<State> state) : state_(std::move(state)) {}
  std::shared_ptr<State> state_;
};

class FakeApiServer : public ApiServer {
 public:
  explicit FakeApiServer(Loop& loop);
  ~FakeApiServer() override;

  FakeObjects objects;

  [[nodiscard]] Handle request(Request request,
                               std::move_only_function<void(Result<Response>)> done) override;
  [[nodiscard]] Handle watch(Request request, std::function<void(std::string)> on_line,
                             std::move_only_function<void(Result<>)> on_end) override;
  [[nodiscard]] std::unique_ptr<ExecSession> exec(ExecRequest request, ExecCallbacks callbacks) override;

  // --- what the test arranges ---
  Millis latency{0};  // of every answer
  // Decides about a request before the objects see it: an error is the answer. Not asked for what `fail_next`
  // answers.
  std::function<std::optional<Error>(const Request&)> interceptor;
  // The next `count` requests of this method whose path contains `path` get this answer.
  void fail_next(Method method, std::string path, Error error, int count = 1);
  // Away: requests fail, watches and exec sessions are cut. Until it is back.
  void set_away(bool away);

  // All watches end: as when the server's time is over, or with an error.
  void end_watches(Result<> how = {});
  // Tells watches that asked for it how far the world is.
  void send_bookmarks();
  // Whether a watch that is too old gets 410 as an event (as most do), or as the answer.
  bool gone_as_event = true;

  // By default a command that does nothing and exits with 0. The FakeExec may be kept.
  std::function<void(FakeExec&)> on_exec;

  // --- what the test looks at ---
  struct Seen {
    Method method;
    std::string path, body;
    std::vector<std::pair<std::string, std::string>> query;
    std::string content_type;
  };
  std::vector<Seen> seen;  // requests and watches, in order
  int count(Method method, std::string_view path_contains) const;
  std::size_t watches() const;  // that are open
  // The object at `path`, as JSON text; empty if there is none.
  std::string text(const std::string& path) const;

 private:
  friend class FakeExec;
  struct WatchState;
  struct Failure {
    Method method;
    std::string path;
    Error error;
    int count = 0;
  };

  std::optional<Error> refusal(const Request& request);
  Result<Response> answer(const Request& request);
  Result<Response> answer_list(const Request& request, const ResourcePath& at);
  Result<FakeObjects::Json> patched(const Request& request, const ResourcePath& at);
  void begin_watch(WatchState& watch);
  void tell(const FakeObjects::Change& change);
  // Runs `work` on a later turn, after all that was said before, if `alive` still is.
  void later(std::weak_ptr<void> alive, Callback work);
  void drain();

  struct Message {
    Instant due;
    std::weak_ptr<void> alive;
    Callback work;
  };
  Loop& loop_;
  std::deque<Message> outbox_;
  Handle drain_;
  bool away_ = false;
  std::vector<Failure> failures_;
  std::vector<std::weak_ptr<WatchState>> watches_;
  std::vector<std::weak_ptr<FakeExec::State>> execs_;
};

}  // namespace live_update
