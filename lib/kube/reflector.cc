#include "kube/reflector.h"

#include <algorithm>

namespace live_update {
namespace {

constexpr Millis kListDeadline{60'000};
constexpr Millis kHeadersDeadline{30'000};  // a watch itself lasts until the server ends it

}  // namespace

InformerShell::InformerShell(Loop& loop, ApiServer& api, Resource resource, Callbacks callbacks)
    : loop_(loop),
      api_(api),
      resource_(std::move(resource)),
      callbacks_(std::move(callbacks)),
      informer_(resource_.first_page),
      random_(static_cast<std::uint32_t>(loop.random())) {}

void InformerShell::start() {
  timer_ = loop_.after(Millis(0), [this] { feed(Informer::Begin{}); });
}

void InformerShell::answered() {
  if (std::exchange(troubled_, false) && callbacks_.on_recovered) callbacks_.on_recovered();
}

void InformerShell::feed(Informer::Input input) {
  const double jitter = std::uniform_real_distribution<double>(0, 1)(random_);
  Informer::Step step = informer_.step(std::move(input), loop_.now(), jitter);
  if (step.problem) troubled_ = true;
  if (step.problem && callbacks_.on_problem) callbacks_.on_problem(step.problem->in(resource_.path));
  if (step.command) carry_out(std::move(*step.command));
  for (const Informer::Event& event : step.events) callbacks_.on_event(event);
}

// Never at once: the exchange that is dropped may be the one whose callback runs now.
void InformerShell::carry_out(Informer::Command command) {
  if (const auto* wait = std::get_if<Informer::Wait>(&command)) {
    const auto delay = std::chrono::ceil<Millis>(wait->until - loop_.now());
    timer_ = loop_.after(std::max(delay, Millis(0)), [this] {
      exchange_.reset();
      feed(Informer::Begin{});
    });
    return;
  }
  timer_ = loop_.after(Millis(0), [this, command = std::move(command)] {
    if (const auto* list = std::get_if<Informer::List>(&command)) run(*list);
    if (const auto* watch = std::get_if<Informer::Watch>(&command)) run(*watch);
  });
}

Request InformerShell::request() const {
  Request request;
  request.path = resource_.path;
  request.query = resource_.query;
  return request;
}

void InformerShell::run(const Informer::List& list) {
  Request get = request();
  get.deadline = kListDeadline;
  if (list.limit > 0) get.query.emplace_back("limit", std::to_string(list.limit));
  if (!list.continue_token.empty()) get.query.emplace_back("continue", list.continue_token);
  exchange_ = api_.request(std::move(get), [this](Result<Response> response) {
    if (response) answered();
    if (response)
      feed(Informer::Page{std::move(response->body)});
    else
      feed(Informer::ListFailed{std::move(response.error())});
  });
}

void InformerShell::run(const Informer::Watch& watch) {
  Request get = request();
  get.query.emplace_back("watch", "true");
  get.query.emplace_back("allowWatchBookmarks", "true");
  get.query.emplace_back("resourceVersion", watch.resource_version);
  get.query.emplace_back("timeoutSeconds", std::to_string(watch.timeout_seconds));
  get.deadline = kHeadersDeadline;
  get.on_begun = [this] { answered(); };
  exchange_ = api_.watch(
      std::move(get), [this](std::string line) { feed(Informer::Line{std::move(line)}); },
      [this](Result<> how) { feed(Informer::WatchEnded{std::move(how)}); });
}

}  // namespace live_update
