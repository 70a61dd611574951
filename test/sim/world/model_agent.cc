#include "test/sim/world/model_agent.h"

#include <algorithm>

#include "run/content.h"

namespace live_update::sim {
namespace {

constexpr int kTerm = 15;

// One whole zstd frame; empty: it is none.
std::string inflated(std::string_view bytes) {
  ContentReader reader(Encoding::Zstd, bytes, 1 << 20);
  std::string out;
  for (;;) {
    const auto block = reader.next();
    if (!block) return {};
    out += block->bytes;
    if (block->last) return out;
  }
}

}  // namespace

ModelAgent::ModelAgent(World world, ModelContainer& container, FakeExec exec, std::function<void()> restart)
    : world_(world), container_(container), exec_(std::move(exec)), restart_(std::move(restart)) {}

void ModelAgent::begin() {
  if (container_.agent) container_.agent->give_way();
  container_.agent = shared_from_this();
  agent::Hello hello;
  hello.features = agent::kFeatureChanged | agent::kFeatureRecord | agent::kFeatureList;
  hello.program = "live-update-agent";
  hello.machine = "x86_64";
  hello.digest = world_.program;
  answer(hello);
  exec_.on_input([weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->hear();
  });
}

void ModelAgent::give_way() {
  if (ended_) return;
  answer(agent::Failed{0, agent::Code::TakenOver, 0, "", "another session has taken over the container", ""});
  ended_ = true;
  run_.reset();
  exec_.exit(agent::kExitTakenOver);
}

void ModelAgent::die() {
  if (std::exchange(ended_, true)) return;
  run_.reset();
  exec_.exit(137);
}

void ModelAgent::answer(const agent::Answer& answer) {
  if (ended_) return;
  std::string bytes;
  writer_.append(bytes, answer);
  exec_.out(std::move(bytes));
}

void ModelAgent::hear() {
  const auto self = shared_from_this();
  if (ended_) return;
  const std::string& input = exec_.input();
  reader_.feed(std::string_view(input).substr(read_));
  read_ = input.size();
  while (!ended_) {
    const auto frame = reader_.next();
    if (!frame) {
      world_.trace.add("agent", "NONSENSE " + frame.error().message);
      return die();
    }
    if (!*frame) break;
    take(**frame);
  }
  if (exec_.input_closed() && !ended_) {
    ended_ = true;
    run_.reset();
    exec_.exit(0);
  }
}

void ModelAgent::take(const agent::Frame& frame) {
  const auto request = agent::decode_request(frame);
  if (!request) {
    world_.trace.add("agent", "NONSENSE " + request.error().message);
    return die();
  }
  if (const auto* have = std::get_if<agent::Have>(&*request)) return look(*have);
  if (const auto* asked = std::get_if<agent::List>(&*request)) return list(*asked);
  if (!run_) return perform(*request);
  held_.push_back({frame.type, frame.last, std::string(frame.payload)});
}

void ModelAgent::perform(const agent::Request& request) {
  std::visit(
      [this](const auto& message) {
        if constexpr (requires { this->act(message); }) act(message);
      },
      request);
}

bool ModelAgent::passes(const agent::Gate& gate, std::uint32_t request) {
  if (gate.fresh) failed_ = false;
  if (!gate.if_ok || !failed_) return true;
  answer(agent::Skipped{request});
  return false;
}

std::string ModelAgent::path_of(std::uint16_t root, const std::string& path) {
  const std::string& top = batch_->begin.roots.at(root);
  return path.empty() ? top : top + '/' + path;
}

void ModelAgent::refuse(agent::Code code, const std::string& path, const std::string& why) {
  if (!batch_->problem)
    batch_->problem = agent::Failed{batch_->begin.request, code, 0, path, why, "look at it"};
}

void ModelAgent::act(const agent::Begin& begin) {
  if (!passes(begin.gate, begin.request)) {
    skipping_ = begin.sequence;
    return;
  }
  if (const auto known = container_.record.find(subject_);
      known != container_.record.end() && begin.sequence < known->second) {
    if (!begin.gate.keep_going) failed_ = true;
    skipping_ = begin.sequence;
    world_.trace.add(container_.id, "refuses " + std::to_string(begin.sequence) + ": it is outdated");
    return answer(agent::Failed{begin.request, agent::Code::Outdated, 0, "", "it has a newer one", "wait"});
  }
  batch_ = Batch{begin, {}, {}, {}, {}};
  for (const std::string& root : begin.roots) container_.roots.push_back(root);
}

void ModelAgent::act(const agent::Subject& subject) { subject_ = subject.live_update; }

void ModelAgent::act(const agent::File& file) {
  if (!batch_) return;
  Staged& staged = batch_->files.emplace_back();
  staged.file = file;
  staged.path = path_of(file.root, file.path);
  if (file.content == agent::Content::Kept) {
    const auto there = container_.tree.find(staged.path);
    const bool same = there != container_.tree.end() && there->second.type == FileType::File &&
                      agent::digest_from(sha256(there->second.content)) == file.digest;
    if (!same) return refuse(agent::Code::Missing, staged.path, staged.path + " is not there as a file");
    staged.content = there->second.content;
  } else if (file.size == 0) {
    finish_file();
  }
}

void ModelAgent::act(const agent::Data& data) {
  if (!batch_) return;
  Staged& staged = batch_->files.back();
  if (data.coding == agent::Coding::Zstd)
    staged.content += inflated(data.bytes);
  else
    staged.content += data.bytes;
  if (data.last) finish_file();
}

void ModelAgent::finish_file() {
  const Staged& staged = batch_->files.back();
  if (agent::digest_from(sha256(staged.content)) != staged.file.digest)
    refuse(agent::Code::Digest, staged.path, staged.path + " does not have the promised digest");
}

void ModelAgent::act(const agent::Symlink& link) {
  if (!batch_) return;
  Staged& staged = batch_->files.emplace_back();
  staged.path = path_of(link.root, link.path);
  staged.is_link = true;
  staged.target = link.target;
}

void ModelAgent::act(const agent::Directory& directory) {
  if (batch_) batch_->directories.emplace_back(path_of(directory.root, directory.path), directory.mode);
}

void ModelAgent::act(const agent::Delete& gone) {
  if (batch_) batch_->deletes.push_back(path_of(gone.root, gone.path));
}

void ModelAgent::act(const agent::Commit& commit) {
  if (skipping_) return skipping_.reset();
  if (!batch_) return die();
  if (container_.full) refuse(agent::Code::NoSpace, "", "no space left on the device");
  if (batch_->problem) {
    if (!batch_->begin.gate.keep_going) failed_ = true;
    world_.trace.add(container_.id,
                     "refuses " + std::to_string(commit.sequence) + ": " + batch_->problem->reason);
    answer(*batch_->problem);
    return batch_.reset();
  }
  apply();
  if (!subject_.empty()) container_.record[subject_] = std::max(container_.record[subject_], commit.sequence);
  ++container_.batches;
  world_.trace.add(container_.id, "has " + std::to_string(commit.sequence) + ", " +
                                      std::to_string(batch_->files.size()) + " files, " +
                                      std::to_string(batch_->deletes.size()) + " deletes");
  answer(agent::Confirmed{batch_->begin.request, commit.sequence,
                          static_cast<std::uint32_t>(batch_->files.size() + batch_->deletes.size()), 100});
  batch_.reset();
}

void ModelAgent::remove(const std::string& path, std::vector<std::string>& later) {
  const auto there = container_.tree.find(path);
  if (there == container_.tree.end()) return;
  if (there->second.type == FileType::Directory) return later.push_back(path);
  container_.tree.erase(there);
}

// Deletes, directories, files and symlinks, and folders that are empty then (rule 4.1).
void ModelAgent::apply() {
  std::vector<std::string> folders;
  for (const auto& path : batch_->deletes) remove(path, folders);
  std::ranges::sort(folders, std::greater());
  for (const std::string& path : folders) {
    const auto there = container_.tree.find(path);
    if (there == container_.tree.end() || container_.has_below(path)) continue;
    container_.tree.erase(there);
  }
  for (const auto& [path, mode] : batch_->directories) {
    const auto there = container_.tree.find(path);
    if (there == container_.tree.end() || there->second.type != FileType::Directory)
      container_.put(path, {FileType::Directory, mode, {}, {}});
  }
  for (const Staged& it : batch_->files)
    container_.put(it.path, it.is_link ? Node{FileType::Symlink, 0777, {}, it.target}
                                       : Node{FileType::File, it.file.mode, it.content, {}});
}

void ModelAgent::act(const agent::Run& run) {
  if (!passes(run.gate, run.request)) return;
  const bool hangs = container_.hanging_runs > 0 && world_.random.permille(container_.hanging_runs);
  const bool fails = world_.random.permille(container_.failing_runs);
  const auto how = hangs ? agent::RunHow::TimedOut : agent::RunHow::Exited;
  const Micros lasts =
      hangs ? Micros(std::int64_t{run.timeout_ms} * 1000) : Micros(world_.random.between(500, 40'000));
  run_ = world_.loop.in(lasts, [this, run, how,
                                code = hangs   ? kTerm
                                       : fails ? 1
                                               : 0] {
    const auto self = shared_from_this();
    ended(run, how, code);
  });
}

// The run of a session that is lost is killed with it.
void ModelAgent::ended(const agent::Run& run, agent::RunHow how, int exit_code) {
  run_.reset();
  if (!exec_.alive() && world_.random.below(2) == 0) return die();
  container_.runs.push_back({command_line(run.argv), subject_, world_.loop.elapsed().count(), exit_code});
  world_.trace.add(container_.id, "ran " + command_line(run.argv) + " -> " + std::to_string(exit_code));
  if (exit_code != 0 && !run.gate.keep_going) failed_ = true;
  answer(agent::RunExit{run.request, how, exit_code, 1});
  while (!ended_ && !run_ && !held_.empty()) {
    const Held held = std::move(held_.front());
    held_.pop_front();
    if (const auto request = agent::decode_request({held.type, held.last, held.payload})) perform(*request);
  }
}

void ModelAgent::act(const agent::Restart& restart) {
  if (!passes(restart.gate, restart.request)) return;
  if (restart.how == agent::RestartHow::Container) return restart_();
  answer(agent::Restarted{restart.request, 2});
}

agent::HaveEntry ModelAgent::entry_of(const std::string& root, const agent::Wanted& wanted) const {
  agent::HaveEntry entry{.path = wanted.path};
  const auto there = container_.tree.find(wanted.path.empty() ? root : root + '/' + wanted.path);
  if (there == container_.tree.end()) return entry;
  const Node& node = there->second;
  entry.kind = node.type == FileType::File        ? agent::Kind::File
               : node.type == FileType::Directory ? agent::Kind::Directory
                                                  : agent::Kind::Symlink;
  entry.mode = static_cast<std::uint16_t>(node.mode);
  entry.size = node.content.size();
  entry.target = node.target;
  if (node.type == FileType::File && (wanted.size == agent::kAnySize || wanted.size == entry.size))
    entry.digest = agent::digest_from(sha256(node.content));
  return entry;
}

void ModelAgent::look(const agent::Have& have) {
  agent::HaveResult result{.request = have.request, .entries = {}, .last = true};
  for (const agent::Wanted& wanted : have.paths) {
    result.entries.push_back(entry_of(have.root, wanted));
    if (!have.below) continue;
    const std::string top = (wanted.path.empty() ? have.root : have.root + '/' + wanted.path) + '/';
    for (auto it = container_.tree.lower_bound(top);
         it != container_.tree.end() && it->first.starts_with(top); ++it)
      result.entries.push_back(
          entry_of(have.root, {it->first.substr(have.root.size() + 1), agent::kAnySize}));
  }
  answer(result);
}

void ModelAgent::list(const agent::List& asked) {
  agent::Listing result{.request = asked.request, .entries = {}, .last = true};
  for (std::uint32_t i = 0; i < asked.folders.size(); ++i) {
    const std::string folder = asked.folders[i].empty() ? asked.root : asked.root + '/' + asked.folders[i];
    const auto there = container_.tree.find(folder);
    if (there == container_.tree.end() || there->second.type != FileType::Directory) {
      result.entries.push_back({i, "", agent::Listed::Absent});
      continue;
    }
    for (auto it = container_.tree.lower_bound(folder + '/');
         it != container_.tree.end() && it->first.starts_with(folder + '/'); ++it) {
      const std::string name = it->first.substr(folder.size() + 1);
      if (name.contains('/')) continue;
      result.entries.push_back({i, name,
                                it->second.type == FileType::Directory ? agent::Listed::Directory
                                : it->second.type == FileType::Symlink ? agent::Listed::Symlink
                                                                       : agent::Listed::File});
    }
  }
  answer(result);
}

}  // namespace live_update::sim
