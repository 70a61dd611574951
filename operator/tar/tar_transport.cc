#include "operator/tar/tar_transport.h"

#include <algorithm>
#include <array>
#include <limits>
#include <set>
#include <utility>

#include "core/api/conditions.h"
#include "core/api/signals.h"
#include "core/desired/mirror.h"
#include "operator/exec/exec_diagnosis.h"
#include "operator/exec/run_limits.h"
#include "operator/exec/script_note.h"
#include "operator/tar/run_step.h"
#include "operator/tar/tar_sweep.h"

namespace live_update {
namespace {

constexpr std::uint64_t kCheckedPerTurn = 512 * 1024;  // about a millisecond
constexpr std::size_t kLongestName = 64 * 1024;
// A run is a request of its own, with the command in its URL, which must stay below a megabyte when each byte
// has become three.
constexpr std::size_t kLongestCommand = 256 * 1024;
constexpr std::size_t kAnyLength = std::numeric_limits<std::size_t>::max();

// One delivery to one container. Each step ends in `next`, on a turn of its own.
class TarDelivery {
 public:
  TarDelivery(ApiServer& api, After after, std::function<Time()> now, ContainerRef to, TarTransport& places,
              std::shared_ptr<TarTransport::Prepared> prepared,
              std::move_only_function<void(DeliveryOutcome)> done, TarTransport::OnOutput on_output)
      : api_(api),
        after_(std::move(after)),
        now_(std::move(now)),
        to_(std::move(to)),
        places_(places),
        prepared_(std::move(prepared)),
        delivery_(*prepared_->delivery),
        done_(std::move(done)),
        on_output_(std::move(on_output)) {}

  void start() {
    delivered_.transport = "Tar";
    if (!prepared_->commands)
      return finish_later(
          {std::string(reason::kPathEscapes), about(prepared_->commands.error().message), false});
    if (const auto trouble = run_trouble(delivery_, {kLongestCommand, kAnyLength}))
      return finish_later({std::string(reason::kUnsupported), about(*trouble), false});
    if (!prepared_->wide) return check();
    place_ = places_.place(to_.ns, [this] { check(); });
  }

 private:
  // Nothing is sent before all content is known to be what was announced.
  void check() {
    const auto checked = prepared_->check.step(kCheckedPerTurn);
    if (!checked) {
      return finish_later(
          {.reason = std::string(reason::kDigestMismatch),
           .message = about(checked.error().message + "; the rest goes without it, save the file again"),
           .wrong = wanted_content(prepared_->check.wrong())});
    }
    if (*checked) place_.reset();
    later_ = after_(Millis(0), [this, done = *checked] { done ? next() : check(); });
  }

  void next() {
    exec_.reset();
    run_.reset();
    place_.reset();
    sweep_.reset();
    if (before_ < delivery_.before_sync.size()) return start_run(delivery_.before_sync[before_++]);
    if (!swept_ && delivery_.mirror && delivery_.mirror->compares) return sweep();
    if (command_ < commands().size()) return begin_command(commands()[command_++]);
    if (after_sync_ < delivery_.after_sync.size()) return start_run(delivery_.after_sync[after_sync_++]);
    if (delivery_.restart && !restarted_ && !stopped_) return restart(*delivery_.restart);
    if (delivery_.restart && !restarted_) delivered_.skipped.push_back(delivery_.restart_step);
    delivered_.wanted = wanted();
    if (auto kept = not_deleted(kept_)) delivered_.warnings.push_back(about(*kept));
    finish(std::move(delivered_));
  }

  // Rule 4.5: what only the container has goes first. A save costs no exec for it.
  void sweep() {
    sweep_ = std::make_unique<TarSweep>(api_, after_, to_, delivery_.mirror,
                                        [this](TarSweep::Outcome outcome) { swept(std::move(outcome)); });
  }
  void swept(TarSweep::Outcome outcome) {
    swept_ = true;
    delivered_.held = std::move(outcome.held);
    for (const std::string& it : outcome.warnings) delivered_.warnings.push_back(about(it));
    next();
  }

  const std::vector<BatchCommand>& commands() const { return *prepared_->commands; }
  std::string about(const std::string& what) const { return to_string(to_) + ": " + what; }

  void begin_command(const BatchCommand& command) {
    if (!command.with_tar || !prepared_->wide) return start_command(command);
    place_ = places_.place(to_.ns, [this, &command] { start_command(command); });
  }

  void start_command(const BatchCommand& command) {
    ExecStep::Wishes wishes;
    if (command.with_tar) {
      auto stream = std::make_shared<TarStream>(prepared_->delivery, now_());
      wishes.input = [this, stream] {
        auto chunk = stream->next();
        if (chunk && chunk->then == Chunk::End) delivered_.sent = now_();
        return chunk;
      };
    }
    unpacking_.clear();
    wishes.on_stderr = [this](std::string& said) { take_said(said); };
    said_.clear();
    if (command.with_tar) wishes.on_stdout = [this](std::string_view said) { take_name(said); };
    delivered_.sent = now_();
    exec_ = std::make_unique<ExecStep>(api_, after_, request(command.argv), std::move(wishes),
                                       [this](ExecReport report) { command_ended(std::move(report)); });
  }

  // A line may come in pieces: what may become one of ours waits for its end.
  void take_said(std::string& said) {
    said_ += said;
    take_lines(said_, kLacks, [this](std::string path) { lacking_.insert(std::move(path)); });
    take_lines(said_, kStays, [this](std::string line) { kept_.push_back(std::move(line)); });
    const std::size_t open = said_.rfind('\n') + 1;  // 0: there is none
    const std::string_view rest = std::string_view(said_).substr(open);
    const bool may_become = std::ranges::any_of(std::array{kLacks, kStays}, [&](std::string_view mark) {
      return rest.starts_with(mark) || mark.starts_with(rest);
    });
    said = said_.substr(0, may_become ? open : said_.size());
    said_.erase(0, said.size());
  }

  // Of the files that are not held; a path with a line break in it cannot be told, so then all of them.
  std::vector<WantedContent> wanted() {
    std::vector<WantedContent> all, some;
    for (const DeliveryWrite& write : delivery_.writes) {
      if (is_held(write)) continue;
      all.push_back(wanted_content(write));
      if (lacking_.erase(write.to) > 0) some.push_back(all.back());
    }
    return lacking_.empty() ? some : all;
  }

  void command_ended(ExecReport report) {
    report.err += said_;
    if (!report.exit) return finish(diagnose(to_, report.exit.error()));
    if (report.exit->code == 0) {
      if (auto lost = lost_owner(report.err)) delivered_.warnings.push_back(about(*lost));
      return next();
    }
    std::string warning;
    if (!only_metadata_failed(report.err, warning))
      return finish(diagnose(to_, report.exit->code, report.err, place()));
    delivered_.warnings.push_back(about(warning));
    next();
  }

  // tar says each name before it unpacks it; what is kept is the last one, bounded.
  void take_name(std::string_view said) {
    unpacking_.append(said);
    const std::size_t end = unpacking_.rfind('\n');
    const std::size_t begin = end == 0 || end == std::string::npos ? end : unpacking_.rfind('\n', end - 1);
    if (begin != std::string::npos) unpacking_.erase(0, begin + 1);
    if (unpacking_.size() > kLongestName) unpacking_.clear();
  }

  // Where it went wrong: the last name, or else the sync root.
  std::string place() const {
    const std::string name = unpacking_.substr(0, unpacking_.find('\n'));
    if (!name.empty()) return name.starts_with('/') ? name : '/' + name;
    if (!delivery_.writes.empty()) return delivery_.writes.front().root;
    return delivery_.deletes.empty() ? "" : delivery_.deletes.front().root;
  }

  void start_run(const DeliveryRun& run) {
    if (stopped_) {
      delivered_.skipped.push_back(run.step);
      return next();
    }
    run_ = std::make_unique<RunStep>(
        api_, after_, to_, run, delivery_,
        [this, step = run.step](std::string_view bytes) {
          if (on_output_) on_output_(step, bytes);
        },
        [this, on_failure = run.on_failure](RunOutcome outcome) {
          run_ended(std::move(outcome), on_failure);
        });
  }

  void run_ended(RunOutcome outcome, OnFailure on_failure) {
    if (auto* problem = std::get_if<NotDelivered>(&outcome)) return finish(std::move(*problem));
    if (auto* failure = std::get_if<RunFailure>(&outcome)) {
      delivered_.failures.push_back(std::move(*failure));
      stopped_ |= on_failure != OnFailure::Continue;
    }
    next();
  }

  void restart(const Restart& restart) {
    restarted_ = true;
    if (std::holds_alternative<RestartProcess>(restart.how)) {
      return finish(NotDelivered{std::string(reason::kUnsupported),
                                 about("the files are there, but restart.process needs the supervising "
                                       "agent, which transport Tar does not put "
                                       "into a container; use restart: {signal: ...} or {container: {}}"),
                                 false});
    }
    const auto* signal = std::get_if<RestartSignal>(&restart.how);
    const std::string name = signal ? signal->signal : "TERM";
    if (signal_number(name) == 0)
      return finish(
          NotDelivered{std::string(reason::kRestartFailed), about("there is no signal " + name), false});
    exec_ = std::make_unique<ExecStep>(
        api_, after_, request(signal_command(name)), ExecStep::Wishes{},
        [this, container = !signal](ExecReport report) { restart_ended(report, container); });
  }

  // Where the container itself goes away, the connection may go first: that is what was asked for.
  void restart_ended(const ExecReport& report, bool container) {
    if (report.exit && report.exit->code == 0) return next();
    const NotDelivered problem =
        report.exit ? diagnose(to_, report.exit->code, report.err) : diagnose(to_, report.exit.error());
    const bool gone = report.exit
                          ? report.exit->code != kRefusedExit
                          : problem.reason == reason::kUnreachable || problem.reason == reason::kWaiting;
    return container && gone ? next() : finish(problem);
  }

  ExecRequest request(std::vector<std::string> command) const {
    return {to_.ns, to_.pod, to_.container, std::move(command), false};
  }

  void finish_later(NotDelivered problem) {
    later_ =
        after_(Millis(0), [this, problem = std::move(problem)]() mutable { finish(std::move(problem)); });
  }
  void finish(DeliveryOutcome outcome) {
    auto done = std::move(done_);
    done(std::move(outcome));  // may destroy this
  }

  ApiServer& api_;
  After after_;
  std::function<Time()> now_;
  ContainerRef to_;
  TarTransport& places_;
  std::shared_ptr<TarTransport::Prepared> prepared_;
  const Delivery& delivery_;
  std::move_only_function<void(DeliveryOutcome)> done_;
  const TarTransport::OnOutput on_output_;
  Delivered delivered_;
  std::string said_;               // of stderr: a line that is not complete
  std::set<std::string> lacking_;  // paths that the container lacks
  std::vector<std::string> kept_;  // what could not be deleted, in the script's words
  std::string unpacking_;          // names that tar has said: the last whole one, and what came after it
  std::size_t before_ = 0, command_ = 0, after_sync_ = 0;
  bool stopped_ = false;  // a run failed: no further runs, no restart
  bool restarted_ = false, swept_ = false;
  Handle later_, place_;
  std::unique_ptr<ExecStep> exec_;
  std::unique_ptr<TarSweep> sweep_;
  std::unique_ptr<RunStep> run_;
};

}  // namespace

TarTransport::TarTransport(ApiServer& api, After after, std::function<Time()> now)
    : api_(api), after_(std::move(after)), now_(std::move(now)) {}
TarTransport::~TarTransport() = default;

Handle TarTransport::place(const std::string& ns, Callback begin) {
  const auto ticket = places_.ask(ns);
  waiting_[ticket] = std::move(begin);
  admit();
  return Handle([this, ticket] {
    waiting_.erase(ticket);
    admitted_.erase(ticket);
    places_.leave(ticket);
    admit();
  });
}

void TarTransport::admit() {
  while (const auto ticket = places_.next())
    admitted_[*ticket] = after_(Millis(0), std::move(waiting_.extract(*ticket).mapped()));
}

std::shared_ptr<TarTransport::Prepared> TarTransport::prepare(
    const std::shared_ptr<const Delivery>& delivery) {
  std::erase_if(prepared_, [](const auto& it) { return it.expired(); });
  for (const auto& it : prepared_) {
    if (auto known = it.lock(); known && known->delivery == delivery) return known;
  }
  auto prepared = std::make_shared<Prepared>(delivery);
  prepared_.push_back(prepared);
  return prepared;
}

Handle TarTransport::deliver(const ContainerRef& to, std::shared_ptr<const Delivery> delivery,
                             std::move_only_function<void(DeliveryOutcome)> done, OnOutput on_output) {
  auto job = std::make_unique<TarDelivery>(api_, after_, now_, to, *this, prepare(delivery), std::move(done),
                                           std::move(on_output));
  job->start();
  return Handle([job = std::move(job)]() mutable { job.reset(); });
}

}  // namespace live_update
