#include "operator/agent_stream.h"

#include <algorithm>

#include "core/path.h"
#include "operator/tar_script.h"
#include "operator/tar_stream.h"

namespace live_update {
namespace {

constexpr std::size_t kChangedTogether = 512 * 1024;

std::optional<agent::Mtime> to_mtime(const std::optional<Time>& time) {
  if (!time) return {};
  const auto seconds = std::chrono::floor<std::chrono::seconds>(*time);
  return agent::Mtime{seconds.time_since_epoch().count(),
                      static_cast<std::uint32_t>(std::chrono::nanoseconds(*time - seconds).count())};
}

class Frames {
 public:
  Frames(std::shared_ptr<const AgentBatch> batch, std::shared_ptr<const AgentHas> has, std::uint32_t request,
         agent::Gate gate, agent::FrameWriter& writer)
      : batch_(std::move(batch)), has_(std::move(has)), writer_(writer) {
    add(agent::Begin{request, gate, batch_->delivery->sequence, batch_->roots});
  }

  Result<std::string> next() {
    while (out_.size() < kAgentPiece && !ended_) {
      const auto step = content_ ? content() : entry();
      if (!step) return std::unexpected(step.error());
    }
    return std::exchange(out_, {});
  }

 private:
  void add(const agent::Request& request) { writer_.append(out_, request); }

  std::uint16_t root(const std::string& path) const {
    return static_cast<std::uint16_t>(std::ranges::lower_bound(batch_->roots, path) - batch_->roots.begin());
  }

  Result<> entry() {
    const auto& deletes = batch_->delivery->deletes;
    if (delete_ < deletes.size()) {
      remove(deletes[delete_++]);
      return {};
    }
    if (write_ < batch_->writes.size()) return write(*batch_->writes[write_++]);
    add(agent::Commit{batch_->delivery->sequence});
    ended_ = true;
    return {};
  }

  void remove(const RemoteDelete& it) {
    if (has_ && has_->missing.contains(it.to)) return;
    const bool whole = batch_->delivery->mirror && it.keep.empty();
    const auto how = it.type != FileType::Directory ? agent::DeleteHow::File
                     : whole                        ? agent::DeleteHow::Whole
                                                    : agent::DeleteHow::Tracked;
    add(agent::Delete{root(it.root), std::string(relative_to(it.to, it.root)), how});
  }

  Result<> write(const DeliveryWrite& it) {
    if (has_ && has_->same.contains(&it)) return {};
    const auto mode = static_cast<std::uint16_t>(it.mode & kModeBits);
    const std::string path(relative_to(it.to, it.root));
    if (it.type == FileType::Directory) {
      add(agent::Directory{root(it.root), path, mode});
    } else if (it.type == FileType::Symlink) {
      add(agent::Symlink{root(it.root), path, it.target, to_mtime(it.mtime)});
    } else {
      return file(it, path, mode);
    }
    return {};
  }

  Result<> file(const DeliveryWrite& it, const std::string& path, std::uint16_t mode) {
    const auto digest = agent::digest_from(it.digest);
    if (!digest) return fail(ErrorKind::Invalid, it.to + ": \"" + it.digest + "\" is no digest");
    const bool kept = is_mode_change(it) || (has_ && has_->content.contains(&it));
    add(agent::File{root(it.root), path, mode, to_mtime(it.mtime), it.size, *digest,
                    kept ? agent::Content::Kept : agent::Content::Sent});
    if (kept || it.size == 0) return {};
    content_ = &it;
    piece_ = at_ = 0;
    return {};
  }

  Result<> content() {
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
    return {};
  }

  std::shared_ptr<const AgentBatch> batch_;
  std::shared_ptr<const AgentHas> has_;
  agent::FrameWriter& writer_;
  std::string out_;
  std::size_t delete_ = 0, write_ = 0;
  const DeliveryWrite* content_ = nullptr;  // whose bytes are being sent
  std::size_t piece_ = 0, at_ = 0;
  bool ended_ = false;
};

}  // namespace

AgentBatch::AgentBatch(std::shared_ptr<const Delivery> it)
    : delivery(std::move(it)), changed(changed_paths(*delivery)) {
  // What goes out behind a run that is not over is bounded (agent::kMaxAhead).
  const std::size_t runs =
      std::max<std::size_t>(1, delivery->before_sync.size() + delivery->after_sync.size());
  if (changed.size() > kChangedTogether / runs)
    changed.resize(changed.rfind('\n', kChangedTogether / runs) + 1);
  std::set<std::string> all;
  for (const auto& write : delivery->writes) {
    all.insert(write.root);
    writes.push_back(&write);
  }
  for (const auto& gone : delivery->deletes) all.insert(gone.root);
  roots.assign(all.begin(), all.end());
  const auto others = std::ranges::stable_partition(
      writes, [](const DeliveryWrite* write) { return write->type == FileType::Directory; });
  std::ranges::sort(writes.begin(), others.begin(), {}, &DeliveryWrite::to);
}

ByteSource agent_frames(std::shared_ptr<const AgentBatch> batch, std::shared_ptr<const AgentHas> has,
                        std::uint32_t request, agent::Gate gate, agent::FrameWriter& writer) {
  auto frames = std::make_shared<Frames>(std::move(batch), std::move(has), request, gate, writer);
  return [frames] { return frames->next(); };
}

agent::Run agent_run(const AgentBatch& batch, const DeliveryRun& run, std::uint32_t request,
                     agent::Gate gate) {
  agent::Run out;
  out.request = request;
  out.gate = gate;
  out.argv = run.command;
  out.cwd = run.working_dir;
  out.env = {"LIVE_UPDATE_SEQUENCE=" + std::to_string(batch.delivery->sequence),
             "LIVE_UPDATE_CHANGED=" + batch.changed};
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
