#include "operator/agent/agent_frames.h"

#include <algorithm>

#include "core/api/signals.h"
#include "core/base/path.h"
#include "core/desired/delivery.h"

namespace live_update {
namespace {

std::uint16_t to_mode(std::uint32_t mode) { return static_cast<std::uint16_t>(mode & kModeBits); }

std::optional<agent::Mtime> to_mtime(const std::optional<Time>& time) {
  if (!time) return {};
  const auto seconds = std::chrono::floor<std::chrono::seconds>(*time);
  return agent::Mtime{seconds.time_since_epoch().count(),
                      static_cast<std::uint32_t>(std::chrono::nanoseconds(*time - seconds).count())};
}

}  // namespace

AgentFrames::AgentFrames(const AgentBatch& batch, const AgentComparison* comparison,
                         const std::vector<RemoteDelete>& extra, std::uint32_t request, agent::Gate gate,
                         agent::FrameWriter& writer)
    : batch_(batch),
      comparison_(comparison),
      extra_(extra),
      begin_{request, gate, batch.delivery->sequence, batch.roots},
      writer_(writer) {}

Result<AgentFrames::Made> AgentFrames::next() {
  if (!std::exchange(begun_, true)) add(begin_);
  while (out_.size() < kAgentPiece && !ended_) {
    if (content_) {
      content();
    } else if (next_is_known()) {
      if (const auto done = entry(); !done) return std::unexpected(done.error());
    } else {
      return Made{std::exchange(out_, {}), Made::Unknown};
    }
  }
  return Made{std::exchange(out_, {}), ended_ ? Made::End : Made::More};
}

void AgentFrames::cut_short() {
  entry_ = batch_.entries();
  extra_sent_ = extra_.size();
  content_ = nullptr;
}

std::uint16_t AgentFrames::root(const std::string& path) const {
  return static_cast<std::uint16_t>(std::ranges::lower_bound(batch_.roots, path) - batch_.roots.begin());
}

bool AgentFrames::next_is_known() const {
  return !comparison_ || entry_ == batch_.entries() ||
         comparison_->due(entry_) != AgentComparison::Due::Unknown;
}

Result<> AgentFrames::entry() {
  if (entry_ == batch_.entries() && extra_sent_ < extra_.size()) {
    remove(extra_[extra_sent_++]);
    return {};
  }
  if (entry_ == batch_.entries()) {
    add(agent::Commit{begin_.sequence});
    ended_ = true;
    return {};
  }
  const std::size_t entry = entry_++;
  const auto due = comparison_ ? comparison_->due(entry) : AgentComparison::Due::All;
  if (due == AgentComparison::Due::Nothing) return {};
  if (due == AgentComparison::Due::All && !batch_.is_delete(entry) && !is_held(batch_.write(entry))) {
    wanted_.push_back(wanted_content(batch_.write(entry)));
    return {};
  }
  if (!batch_.is_delete(entry)) return write(batch_.write(entry), due == AgentComparison::Due::Touch);
  remove(batch_.gone(entry));
  return {};
}

void AgentFrames::remove(const RemoteDelete& it) {
  const auto how = it.type != FileType::Directory ? agent::DeleteHow::File : agent::DeleteHow::Tracked;
  add(agent::Delete{root(it.root), std::string(relative_to(it.to, it.root)), how});
}

Result<> AgentFrames::write(const DeliveryWrite& it, bool touch) {
  const std::string path(relative_to(it.to, it.root));
  if (it.type == FileType::File) return file(it, path, touch);
  if (it.type == FileType::Directory)
    add(agent::Directory{root(it.root), path, to_mode(it.mode)});
  else
    add(agent::Symlink{root(it.root), path, it.target, to_mtime(it.mtime)});
  return {};
}

Result<> AgentFrames::file(const DeliveryWrite& it, const std::string& path, bool touch) {
  const auto digest = agent::digest_from(it.digest);
  if (!digest) return fail(ErrorKind::Invalid, it.to + ": \"" + it.digest + "\" is no digest");
  add(agent::File{root(it.root), path, to_mode(it.mode), to_mtime(it.mtime), it.size, *digest,
                  touch ? agent::Content::Kept : agent::Content::Sent});
  if (touch || it.size == 0) return {};
  content_ = &it;
  piece_ = at_ = 0;
  return {};
}

void AgentFrames::content() {
  const Piece& piece = content_->pieces[piece_];
  const std::string_view bytes = std::string_view(*piece.content).substr(at_, kAgentPiece);
  at_ += bytes.size();
  const bool ended = at_ == piece.content->size();
  const bool last = ended && piece_ + 1 == content_->pieces.size();
  const auto coding = piece.encoding == Encoding::Zstd ? agent::Coding::Zstd : agent::Coding::Identity;
  out_ += writer_.data_header(coding, bytes.size(), last);
  out_ += bytes;
  if (ended) {
    ++piece_;
    at_ = 0;
  }
  if (last) content_ = nullptr;
}

std::optional<std::string> ChangedFrames::next() {
  agent::Changed part;
  std::size_t size = 0;
  for (; entry_ < changed_entries(delivery_) && size < kAgentPiece; ++entry_) {
    const std::string& path = changed_entry(delivery_, entry_);
    if ((counts_ && !counts_(entry_)) || !can_be_listed(path)) continue;
    part.paths.push_back(path);
    size += path.size();
  }
  if (part.paths.empty()) return std::nullopt;
  std::string frame;
  writer_.append(frame, agent::Request(part));
  return frame;
}

agent::Run agent_run(std::int64_t sequence, const ChangedPaths& changed, const DeliveryRun& run,
                     std::uint32_t request, agent::Gate gate) {
  agent::Run out;
  out.request = request;
  out.gate = gate;
  out.argv = run.command;
  out.cwd = run.working_dir;
  out.env = {"LIVE_UPDATE_SEQUENCE=" + std::to_string(sequence), "LIVE_UPDATE_CHANGED=" + changed.list,
             "LIVE_UPDATE_CHANGED_COUNT=" + std::to_string(changed.count)};
  out.timeout_ms = static_cast<std::uint32_t>(std::max(1, run.timeout_seconds)) * 1000;
  return out;
}

Result<agent::Restart> agent_restart(const Restart& restart, std::uint32_t request, agent::Gate gate) {
  agent::Restart out;
  out.request = request;
  out.gate = gate;
  const auto set_signal = [&](const std::string& name) {
    out.signal = static_cast<std::uint8_t>(signal_number(name));
    return out.signal != 0;
  };
  if (const auto* process = std::get_if<RestartProcess>(&restart.how)) {
    out.how = agent::RestartHow::Process;
    out.grace_ms = static_cast<std::uint32_t>(process->grace_seconds) * 1000;
    out.alive_ms = static_cast<std::uint32_t>(process->alive_seconds) * 1000;
    if (!set_signal(process->signal))
      return fail(ErrorKind::Invalid, "there is no signal " + process->signal);
  } else if (const auto* signal = std::get_if<RestartSignal>(&restart.how)) {
    out.how = agent::RestartHow::Signal;
    if (!set_signal(signal->signal)) return fail(ErrorKind::Invalid, "there is no signal " + signal->signal);
  } else {
    out.how = agent::RestartHow::Container;
  }
  return out;
}

}  // namespace live_update
