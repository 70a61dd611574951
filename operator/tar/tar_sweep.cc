#include "operator/tar/tar_sweep.h"

#include <utility>

#include "core/base/text.h"
#include "operator/exec/exec_diagnosis.h"

namespace live_update {
namespace {

constexpr std::uint64_t kWorkPerTurn = 4'000'000;  // some milliseconds

}  // namespace

TarSweep::TarSweep(ApiServer& api, After after, ContainerRef to, std::shared_ptr<const Mirror> mirror,
                   std::function<void(Outcome)> done)
    : api_(api),
      after_(std::move(after)),
      to_(std::move(to)),
      sweep_(std::move(mirror)),
      done_(std::move(done)) {
  later_ = after_(Millis(0), [this] { next(); });
}

void TarSweep::next() {
  exec_.reset();
  auto question = sweep_.ask(kArgumentLimit / 2);
  question ? list(std::move(*question)) : remove();
}

void TarSweep::list(MirrorSweep::Question question) {
  asked_ = std::move(question.numbers);
  reader_ = std::make_unique<ListReader>(
      asked_.size(),
      ListReader::Events{
          .found = [this](std::size_t folder, std::string name,
                          FoundKind kind) { sweep_.found(asked_[folder], std::move(name), kind); },
          .unlisted = [this](std::size_t folder, bool absent) { sweep_.unlisted(asked_[folder], absent); }});
  ExecStep::Wishes wishes;
  wishes.on_stdout = [this](std::string_view said) { reader_->feed(said); };
  exec_ = std::make_unique<ExecStep>(api_, after_, request(list_command(question.root, question.folders)),
                                     std::move(wishes), [this](const ExecReport& report) { listed(report); });
}

void TarSweep::listed(const ExecReport& report) {
  for (const std::size_t folder : asked_) sweep_.answered(folder);
  const std::string trouble = reader_->trouble();
  if (!report.exit)
    sweep_.give_up("its folders cannot be listed: " + clean_start(report.exit.error().message));
  else if (!trouble.empty())
    sweep_.give_up("its folders cannot be listed: " + trouble);
  work();
}

void TarSweep::work() {
  WorkBudget budget{kWorkPerTurn};
  const bool done = sweep_.work(budget);
  later_ = after_(Millis(0), [this, done] { done ? next() : work(); });
}

void TarSweep::remove() {
  MirrorFindings found = sweep_.findings();
  outcome_.held = std::move(found.held);
  if (!found.note.empty()) outcome_.warnings.push_back(std::move(found.note));
  if (found.deletes.empty()) return end();
  Delivery deletes;
  deletes.deletes = std::move(found.deletes);
  auto commands = batch_commands(deletes);
  if (commands)
    commands_ = std::move(*commands);
  else
    outcome_.warnings.push_back(std::move(commands.error().message));
  remove_next();
}

void TarSweep::remove_next() {
  exec_.reset();
  if (command_ == commands_.size()) return end();
  exec_ = std::make_unique<ExecStep>(api_, after_, request(commands_[command_++].argv), ExecStep::Wishes{},
                                     [this](const ExecReport& report) { removed(report); });
}

void TarSweep::removed(const ExecReport& report) {
  if (!report.exit || report.exit->code != 0) {
    const NotDelivered why =
        report.exit ? diagnose(to_, report.exit->code, report.err) : diagnose(to_, report.exit.error());
    outcome_.warnings.push_back("not all that only this container has was deleted: " + why.message);
    command_ = commands_.size();
  }
  later_ = after_(Millis(0), [this] { remove_next(); });
}

void TarSweep::end() {
  const auto done = done_;
  done(std::move(outcome_));
}

}  // namespace live_update
