#include "run/uv_loop.h"

#include <time.h>
#include <uv.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <optional>
#include <random>
#include <thread>
#include <utility>

namespace live_update {
namespace {

// Only a bug or an exhausted process gets here (no descriptors, a regular file given to on_readable): nobody
// could go on.
void must(int status, const char* what) {
  if (status == 0) return;
  std::fprintf(stderr, "live-update: event loop: %s: %s\n", what, uv_strerror(status));
  std::abort();
}

// One libuv handle and the callback it drives. It keeps itself alive until libuv has let go of the handle, so
// that a callback may destroy its own Handle while it runs.
struct Source {
  union {
    uv_handle_t handle;
    uv_timer_t timer;
    uv_poll_t poll;
    uv_signal_t signal;
  };
  std::function<void()> repeat;
  Callback once;
  Instant due;  // of a timer that fires once
  bool running = false, closed = false;
  std::shared_ptr<Source> self;

  void fire() {
    running = true;
    if (once) {
      std::exchange(once, nullptr)();
    } else if (repeat) {
      repeat();
    }
    running = false;
    if (closed) drop();
  }
  void close() {
    if (std::exchange(closed, true)) return;
    if (!running) drop();
    uv_close(&handle, [](uv_handle_t* h) { static_cast<Source*>(h->data)->self.reset(); });
  }
  void drop() {
    once = nullptr;
    repeat = nullptr;
  }
};

std::shared_ptr<Source> make_source() {
  auto source = std::make_shared<Source>();
  source->self = source;
  source->handle.data = source.get();
  return source;
}

Handle handle_of(std::shared_ptr<Source> source) {
  return Handle([source = std::move(source)] { source->close(); });
}

Source& source_of(void* handle) { return *static_cast<Source*>(static_cast<uv_handle_t*>(handle)->data); }

std::chrono::nanoseconds thread_cpu() {
  timespec spent{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &spent);
  return std::chrono::seconds(spent.tv_sec) + std::chrono::nanoseconds(spent.tv_nsec);
}

// libuv rounds its clock down to milliseconds, so a timer can fire a little early; callers are promised that
// it does not.
void on_timer(uv_timer_t* timer) {
  Source& source = source_of(timer);
  if (source.once && std::chrono::steady_clock::now() < source.due) {
    uv_timer_start(timer, on_timer, 1, 0);
    return;
  }
  source.fire();
}

}  // namespace

struct UvLoop::Impl {
  uv_loop_t loop;
  uv_async_t wake;
  uv_prepare_t before_poll;
  uv_check_t after_poll;
  int exit_code = 0;
  bool in_turn = false;
  mutable std::optional<Instant> now;
  mutable std::optional<Time> wall;

  UvLoop::Wait wait;
  bool stopped = false;
  std::thread::id thread;  // that runs it

  std::function<void(std::chrono::nanoseconds)> turn_ended;
  std::chrono::nanoseconds cpu{0};  // at the end of the turn before

  std::mutex mutex;  // guards `posted` alone
  std::vector<Callback> posted;

  Impl() {
    must(uv_loop_init(&loop), "uv_loop_init");
    must(uv_async_init(&loop, &wake, [](uv_async_t* a) { static_cast<Impl*>(a->data)->drain(); }),
         "uv_async_init");
    uv_prepare_init(&loop, &before_poll);
    uv_check_init(&loop, &after_poll);
    wake.data = before_poll.data = after_poll.data = this;
    uv_prepare_start(&before_poll, [](uv_prepare_t* p) { static_cast<Impl*>(p->data)->end_turn(); });
    uv_check_start(&after_poll, [](uv_check_t* c) { static_cast<Impl*>(c->data)->new_turn(); });
  }

  ~Impl() {
    while (!posted.empty()) std::exchange(posted, {});  // they may own Handles, which must find the loop open
    uv_walk(&loop, [](uv_handle_t* h, void* me) { static_cast<Impl*>(me)->close(h); }, this);
    while (uv_run(&loop, UV_RUN_DEFAULT) != 0) {
    }
    must(uv_loop_close(&loop), "uv_loop_close");
  }

  bool own(uv_handle_t* h) const { return h->data == this; }
  void close(uv_handle_t* h) {
    if (own(h)) return uv_close(h, nullptr);
    source_of(h).close();
  }

  void new_turn() {
    now.reset();
    wall.reset();
  }

  // Before the wait for what comes next; all callbacks have had their call, those of timers, too.
  void end_turn() {
    new_turn();
    if (!turn_ended) return;
    const auto before = std::exchange(cpu, thread_cpu());
    turn_ended(cpu - before);
  }

  // What is posted meanwhile waits for the next turn, so that timers and descriptors get theirs.
  void drain() {
    std::vector<Callback> work;
    {
      std::lock_guard lock(mutex);
      work.swap(posted);
    }
    for (auto& callback : work) std::exchange(callback, nullptr)();
  }

  bool has_posted() {
    std::lock_guard lock(mutex);
    return !posted.empty();
  }

  // libuv never waits here, so that what is posted by this thread needs no descriptor to wake it.
  void run_with_wait() {
    while (!stopped) {
      drain();
      uv_run(&loop, UV_RUN_NOWAIT);
      if (stopped) break;
      uv_update_time(&loop);
      const int most = has_posted() ? 0 : uv_backend_timeout(&loop);
      wait(most < 0 ? std::nullopt : std::optional(Millis(most)));
      new_turn();
    }
    stopped = false;
  }
};

UvLoop::UvLoop() : impl_(std::make_unique<Impl>()) {}
UvLoop::~UvLoop() = default;

int UvLoop::run() {
  impl_->in_turn = true;
  impl_->new_turn();
  impl_->cpu = thread_cpu();
  impl_->thread = std::this_thread::get_id();
  if (impl_->wait)
    impl_->run_with_wait();
  else
    uv_run(&impl_->loop, UV_RUN_DEFAULT);
  impl_->in_turn = false;
  return impl_->exit_code;
}

void UvLoop::stop(int exit_code) {
  impl_->exit_code = exit_code;
  if (impl_->wait)
    impl_->stopped = true;
  else
    uv_stop(&impl_->loop);
}

void UvLoop::post(Callback work) {
  {
    std::lock_guard lock(impl_->mutex);
    impl_->posted.push_back(std::move(work));
  }
  if (!impl_->wait || impl_->thread != std::this_thread::get_id()) uv_async_send(&impl_->wake);
}

Instant UvLoop::now() const {
  if (!impl_->in_turn) return exact_now();
  if (!impl_->now) impl_->now = exact_now();
  return *impl_->now;
}

Time UvLoop::wall_clock() const {
  if (!impl_->in_turn) return exact_wall_clock();
  if (!impl_->wall) impl_->wall = exact_wall_clock();
  return *impl_->wall;
}

Instant UvLoop::exact_now() const { return std::chrono::steady_clock::now(); }

Time UvLoop::exact_wall_clock() const {
  return std::chrono::floor<std::chrono::microseconds>(std::chrono::system_clock::now());
}

std::uint64_t UvLoop::random() {
  std::random_device source;
  return std::uint64_t{source()} << 32 | source();
}

void UvLoop::on_turn(std::function<void(std::chrono::nanoseconds)> work) {
  impl_->turn_ended = std::move(work);
}

void UvLoop::wait_with(Wait wait) { impl_->wait = std::move(wait); }

int UvLoop::descriptor() const { return uv_backend_fd(&impl_->loop); }

Handle UvLoop::after(Millis delay, Callback work) {
  if (delay <= Millis(0)) {
    auto pending = std::make_shared<Callback>(std::move(work));
    post([pending] {
      if (*pending) std::exchange(*pending, nullptr)();
    });
    return Handle([pending] { *pending = nullptr; });
  }
  auto source = make_source();
  source->once = std::move(work);
  source->due = std::chrono::steady_clock::now() + delay;
  must(uv_timer_init(&impl_->loop, &source->timer), "uv_timer_init");
  uv_update_time(&impl_->loop);
  must(uv_timer_start(&source->timer, on_timer, static_cast<std::uint64_t>(delay.count()), 0),
       "uv_timer_start");
  return handle_of(std::move(source));
}

Handle UvLoop::every(Millis period, std::function<void()> work) {
  auto source = make_source();
  source->repeat = std::move(work);
  const auto ticks = static_cast<std::uint64_t>(std::max<Millis::rep>(period.count(), 1));
  must(uv_timer_init(&impl_->loop, &source->timer), "uv_timer_init");
  uv_update_time(&impl_->loop);
  must(uv_timer_start(&source->timer, on_timer, ticks, ticks), "uv_timer_start");
  return handle_of(std::move(source));
}

Handle UvLoop::on_readable(int fd, std::function<void()> work) {
  auto source = make_source();
  source->repeat = std::move(work);
  must(uv_poll_init(&impl_->loop, &source->poll, fd), "uv_poll_init");
  auto fired = [](uv_poll_t* poll, int, int) { source_of(poll).fire(); };
  must(uv_poll_start(&source->poll, UV_READABLE, fired), "uv_poll_start");
  return handle_of(std::move(source));
}

Handle UvLoop::on_signal(int number, std::function<void()> work) {
  auto source = make_source();
  source->repeat = std::move(work);
  must(uv_signal_init(&impl_->loop, &source->signal), "uv_signal_init");
  must(uv_signal_start(
           &source->signal, [](uv_signal_t* s, int) { source_of(s).fire(); }, number),
       "uv_signal_start");
  return handle_of(std::move(source));
}

}  // namespace live_update
