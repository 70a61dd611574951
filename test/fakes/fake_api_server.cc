#include "test/fakes/fake_api_server.h"

#include <algorithm>
#include <set>

#include "core/api/codec.h"

namespace live_update {
namespace {

std::string query_value(const Request& request, std::string_view name) {
  const auto found =
      std::ranges::find(request.query, name, [](const auto& it) { return std::string_view(it.first); });
  return found == request.query.end() ? "" : found->second;
}

FakeObjects::Selector selector_of(const Request& request) {
  return {query_value(request, "labelSelector"), query_value(request, "fieldSelector")};
}

int http_status(Method method) { return method == Method::Post ? 201 : 200; }

// "/apis/apps/v1/deployments" -> "apps/v1"; "/api/v1/pods" -> "v1".
std::string api_version_of(const std::string& collection) {
  const std::size_t begin = collection.find('/', 1) + 1;
  return collection.substr(begin, collection.rfind('/') - begin);
}

// As a real list of a built-in kind: its items say neither apiVersion nor kind.
std::string item_text(const FakeObjects::Json& object, bool built_in) {
  if (!built_in) return to_text(*object);
  rapidjson::Document item;
  item.CopyFrom(*object, item.GetAllocator());
  item.RemoveMember("apiVersion");
  item.RemoveMember("kind");
  return to_text(item);
}

std::string place_of(const FakeObjects::Json& object) {
  const ObjectMeta meta = decode_meta(*object);
  return meta.ns + "/" + meta.name;
}

const Error kAway{ErrorKind::Unavailable, "the API server cannot be reached: connection refused"};

}  // namespace

struct FakeApiServer::WatchState {
  Request request;
  ResourcePath at;
  std::function<void(std::string)> on_line;
  std::move_only_function<void(Result<>)> on_end;
  std::set<ObjectKey> known;  // what the watch's selector shows at present
  bool ended = false;
};

struct FakeExec::State {
  FakeApiServer* api = nullptr;
  ExecRequest request;
  ExecCallbacks callbacks;
  std::string input;
  bool input_closed = false, ended = false;
  std::function<void()> on_input;
  std::weak_ptr<void> client;  // expires with the client's session

  void later(Callback work) { api->later(client, std::move(work)); }
  void end(Result<ExecExit> how) {
    if (std::exchange(ended, true)) return;
    on_input = nullptr;  // it often holds the FakeExec, and so this
    later([this, how = std::move(how)] { callbacks.on_end(how); });
  }
};

class FakeExecSession : public ExecSession {
 public:
  explicit FakeExecSession(std::shared_ptr<FakeExec::State> state) : state_(std::move(state)) {
    state_->client = token_;
  }
  ~FakeExecSession() override { state_->on_input = nullptr; }  // it may hold the FakeExec, and so itself
  void write(std::string bytes, Callback written) override {
    state_->later([this, bytes = std::move(bytes), written = std::move(written)]() mutable {
      state_->input += bytes;
      notify();
      if (written) written();
    });
  }
  void close_stdin() override {
    state_->later([this] {
      state_->input_closed = true;
      notify();
    });
  }

 private:
  void notify() const {
    if (!state_->on_input || state_->ended) return;
    const auto work = state_->on_input;  // a copy: it may end the session, which forgets it
    work();
  }
  std::shared_ptr<void> token_ = std::make_shared<int>();
  std::shared_ptr<FakeExec::State> state_;
};

const ExecRequest& FakeExec::request() const { return state_->request; }
const std::string& FakeExec::input() const { return state_->input; }
bool FakeExec::input_closed() const { return state_->input_closed; }
bool FakeExec::alive() const { return !state_->ended && !state_->client.expired(); }

void FakeExec::on_input(std::function<void()> work) {
  if (!alive()) return;
  state_->on_input = work;
  if (!state_->input.empty() || state_->input_closed) work();
}

void FakeExec::out(std::string bytes) {
  if (state_->ended) return;
  state_->later([state = state_.get(), bytes = std::move(bytes)] {
    if (state->callbacks.on_stdout) state->callbacks.on_stdout(bytes);
  });
}

void FakeExec::err(std::string bytes) {
  if (state_->ended) return;
  state_->later([state = state_.get(), bytes = std::move(bytes)] {
    if (state->callbacks.on_stderr) state->callbacks.on_stderr(bytes);
  });
}

void FakeExec::exit(int code) { state_->end(ExecExit{code}); }
void FakeExec::cut(Error error) { state_->end(std::unexpected(std::move(error))); }

FakeApiServer::FakeApiServer(Loop& loop) : on_exec([](FakeExec& exec) { exec.exit(0); }), loop_(loop) {
  objects.clock = [this] { return loop_.wall_clock(); };
  objects.on_change = [this](const FakeObjects::Change& change) { tell(change); };
}

FakeApiServer::~FakeApiServer() = default;

void FakeApiServer::later(std::weak_ptr<void> alive, Callback work) {
  Instant due = loop_.now() + latency;
  if (!outbox_.empty()) due = std::max(due, outbox_.back().due);
  outbox_.push_back({due, std::move(alive), std::move(work)});
  if (!drain_) drain_ = loop_.after(latency, [this] { drain(); });
}

void FakeApiServer::drain() {
  drain_.reset();
  for (std::size_t n = outbox_.size(); n > 0 && outbox_.front().due <= loop_.now(); --n) {
    Message message = std::move(outbox_.front());
    outbox_.pop_front();
    if (const auto alive = message.alive.lock()) message.work();
  }
  if (outbox_.empty() || drain_) return;
  const auto wait = std::chrono::ceil<Millis>(outbox_.front().due - loop_.now());
  drain_ = loop_.after(std::max(wait, Millis(0)), [this] { drain(); });
}

void FakeApiServer::fail_next(Method method, std::string path, Error error, int count) {
  failures_.push_back({method, std::move(path), std::move(error), count});
}

std::optional<Error> FakeApiServer::refusal(const Request& request) {
  seen.push_back({request.method, request.path, request.body, request.query, request.content_type});
  if (away_) return kAway;
  for (Failure& failure : failures_) {
    if (failure.count == 0 || failure.method != request.method || !request.path.contains(failure.path))
      continue;
    --failure.count;
    return failure.error;
  }
  return interceptor ? interceptor(request) : std::nullopt;
}

Handle FakeApiServer::request(Request request, std::move_only_function<void(Result<Response>)> done) {
  const auto refused = refusal(request);
  Result<Response> result = refused ? std::unexpected(*refused) : answer(request);
  auto token = std::make_shared<int>();
  later(token, [done = std::move(done), result = std::move(result)]() mutable { done(std::move(result)); });
  return Handle([token] {});
}

Result<Response> FakeApiServer::answer(const Request& request) {
  const auto at = parse_resource_path(request.path);
  if (!at) return fail(ErrorKind::NotFound, "the server could not find the requested resource");
  if (request.method == Method::Get && at->key.name.empty()) return answer_list(request, *at);
  Result<FakeObjects::Json> object = fail(ErrorKind::Internal, "");
  switch (request.method) {
    case Method::Get:
      object = objects.get(*at);
      break;
    case Method::Post:
      if (query_value(request, "dryRun") == "All") return Response{http_status(request.method), request.body};
      object = objects.create(*at, request.body);
      break;
    case Method::Put:
      object = objects.replace(*at, request.body);
      break;
    case Method::Delete:
      object = objects.remove(*at, request.body);
      break;
    case Method::Patch:
      object = patched(request, *at);
      break;
  }
  if (!object) return std::unexpected(object.error());
  return Response{http_status(request.method), to_text(**object)};
}

Result<FakeObjects::Json> FakeApiServer::patched(const Request& request, const ResourcePath& at) {
  if (request.content_type == "application/apply-patch+yaml") {
    return objects.apply(at, request.body, query_value(request, "fieldManager"));
  }
  if (request.content_type == "application/merge-patch+json" ||
      request.content_type == "application/strategic-merge-patch+json") {
    return objects.merge_patch(at, request.body);
  }
  if (request.content_type == "application/json-patch+json") return objects.json_patch(at, request.body);
  return fail(ErrorKind::Invalid,
              "the body of the request was in an unknown format: " + request.content_type);
}

// The token of a further page is the place of the last object of the one before.
Result<Response> FakeApiServer::answer_list(const Request& request, const ResourcePath& at) {
  auto found = objects.list(at, selector_of(request));
  const std::string after = query_value(request, "continue"), limit = query_value(request, "limit");
  if (!after.empty()) std::erase_if(found, [&](const auto& object) { return place_of(object) <= after; });
  const std::size_t most = limit.empty() ? found.size() : std::stoul(limit);
  const bool built_in = !at.collection.contains('.');
  std::string items, more, kind = "List";
  for (std::size_t i = 0; i < found.size() && i < most; ++i) {
    const auto member = found[i]->FindMember("kind");
    if (member != found[i]->MemberEnd()) kind = std::string(member->value.GetString()) + "List";
    items += (i ? "," : "") + item_text(found[i], built_in);
    if (i + 1 == most && found.size() > most) more = place_of(found[i]);
  }
  return Response{200, R"({"apiVersion":")" + api_version_of(at.collection) + R"(","kind":")" + kind +
                           R"(","metadata":{"resourceVersion":")" + std::to_string(objects.version()) +
                           R"(","continue":")" + more + R"("},"items":[)" + items + "]}"};
}

Handle FakeApiServer::watch(Request request, std::function<void(std::string)> on_line,
                            std::move_only_function<void(Result<>)> on_end) {
  auto state = std::make_shared<WatchState>();
  state->on_line = std::move(on_line);
  state->on_end = std::move(on_end);
  const auto refused = refusal(request);
  const auto at = parse_resource_path(request.path);
  state->request = std::move(request);
  if (refused || !at) {
    const Error error =
        refused ? *refused : Error{ErrorKind::NotFound, "the server could not find the requested resource"};
    later(state, [s = state.get(), error] { s->on_end(std::unexpected(error)); });
  } else {
    state->at = *at;
    watches_.push_back(state);
    begin_watch(*state);
  }
  return Handle([state] {});
}

void FakeApiServer::begin_watch(WatchState& watch) {
  const auto self =
      std::ranges::find_if(watches_, [&](const auto& it) { return it.lock().get() == &watch; })->lock();
  const std::string version = query_value(watch.request, "resourceVersion");
  const auto changes = objects.since(version.empty() ? objects.version() : std::stoll(version));
  if (!changes) {
    watch.ended = true;
    const std::string message = "too old resource version: " + version;
    later(self, [s = &watch, message, as_event = gone_as_event] {
      if (!as_event) return s->on_end(fail(ErrorKind::Gone, message));
      s->on_line(
          R"({"type":"ERROR","object":{"kind":"Status","status":"Failure","reason":"Expired","code":410,"message":")" +
          message + "\"}}");
    });
    if (gone_as_event) later(self, [s = &watch] { s->on_end({}); });
    return;
  }
  if (watch.request.on_begun) later(self, [s = &watch] { s->request.on_begun(); });
  for (const auto& object : objects.list(watch.at, selector_of(watch.request)))
    watch.known.insert(key_of(decode_meta(*object)));
  for (const auto& change : *changes) {
    if (change.collection != watch.at.collection ||
        (!watch.at.key.ns.empty() && watch.at.key.ns != change.key.ns))
      continue;
    if (!FakeObjects::matches(*change.object, selector_of(watch.request))) continue;
    later(self, [s = &watch, change] {
      s->on_line(R"({"type":")" + change.type + R"(","object":)" + to_text(*change.object) + "}");
    });
  }
}

// A change that takes an object out of a watch's selection is its deletion there, and the reverse.
void FakeApiServer::tell(const FakeObjects::Change& change) {
  std::erase_if(watches_, [](const auto& it) { return it.expired(); });
  for (const auto& weak : watches_) {
    const auto watch = weak.lock();
    if (watch->ended || change.collection != watch->at.collection) continue;
    if (!watch->at.key.ns.empty() && watch->at.key.ns != change.key.ns) continue;
    if (!watch->at.key.name.empty() && watch->at.key.name != change.key.name) continue;
    const bool shown =
        change.type != "DELETED" && FakeObjects::matches(*change.object, selector_of(watch->request));
    const bool before = watch->known.contains(change.key);
    if (!shown && !before) continue;
    if (shown)
      watch->known.insert(change.key);
    else
      watch->known.erase(change.key);
    const std::string type = !shown ? "DELETED" : before ? "MODIFIED" : "ADDED";
    later(watch, [s = watch.get(), line = R"({"type":")" + type + R"(","object":)" + to_text(*change.object) +
                                          "}"] { s->on_line(line); });
  }
}

void FakeApiServer::send_bookmarks() {
  for (const auto& weak : watches_) {
    const auto watch = weak.lock();
    if (!watch || watch->ended || query_value(watch->request, "allowWatchBookmarks") != "true") continue;
    later(watch, [s = watch.get(), version = objects.version()] {
      s->on_line(R"({"type":"BOOKMARK","object":{"metadata":{"resourceVersion":")" + std::to_string(version) +
                 "\"}}}");
    });
  }
}

void FakeApiServer::end_watches(Result<> how) {
  for (const auto& weak : std::exchange(watches_, {})) {
    const auto watch = weak.lock();
    if (!watch || std::exchange(watch->ended, true)) continue;
    later(watch, [s = watch.get(), how] { s->on_end(how); });
  }
}

std::size_t FakeApiServer::watches() const {
  return static_cast<std::size_t>(std::ranges::count_if(watches_, [](const auto& it) {
    const auto watch = it.lock();
    return watch && !watch->ended;
  }));
}

void FakeApiServer::set_away(bool away) {
  away_ = away;
  if (!away) return;
  end_watches(std::unexpected(kAway));
  for (const auto& weak : std::exchange(execs_, {})) {
    if (const auto exec = weak.lock()) exec->end(std::unexpected(kAway));
  }
}

std::unique_ptr<ExecSession> FakeApiServer::exec(ExecRequest request, ExecCallbacks callbacks) {
  auto state = std::make_shared<FakeExec::State>();
  state->api = this;
  state->request = std::move(request);
  state->callbacks = std::move(callbacks);
  auto session = std::make_unique<FakeExecSession>(state);
  execs_.push_back(state);
  if (away_) {
    state->end(std::unexpected(kAway));
    return session;
  }
  state->later([this, weak = std::weak_ptr(state)] {
    const auto state = weak.lock();
    if (!state || state->ended) return;
    if (state->callbacks.on_open) state->callbacks.on_open();
    FakeExec exec(state);
    if (exec.alive()) on_exec(exec);
  });
  return session;
}

int FakeApiServer::count(Method method, std::string_view path_contains) const {
  return static_cast<int>(std::ranges::count_if(
      seen, [&](const Seen& it) { return it.method == method && it.path.contains(path_contains); }));
}

std::string FakeApiServer::text(const std::string& path) const {
  const auto at = parse_resource_path(path);
  const auto object = at ? objects.get(*at) : Result<FakeObjects::Json>(fail(ErrorKind::NotFound, ""));
  return object ? to_text(**object) : "";
}

}  // namespace live_update
