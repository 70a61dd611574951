#include "core/desired/mirror_sweep.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "core/base/path.h"
#include "core/base/text.h"

namespace live_update {
namespace {

constexpr std::size_t kLongestPath = 4096, kMostNamed = 5;

bool is_name(std::string_view name) {
  return !name.empty() && name != "." && name != ".." && name.find('/') == name.npos &&
         name.find('\0') == name.npos;
}

}  // namespace

MirrorSweep::MirrorSweep(std::shared_ptr<const Mirror> mirror)
    : mirror_(std::move(mirror)), cursors_(mirror_->rules->cursors()) {
  for (const Mirror::Folder& it : mirror_->folders)
    add({it.path, it.root, mirror_->rules->origins(it.path), kNone, false, false});
}

void MirrorSweep::add(Folder folder) {
  to_ask_.push_back(folders_.size());
  folders_.push_back(std::move(folder));
}

std::optional<MirrorSweep::Question> MirrorSweep::ask(std::size_t most_bytes) {
  if (to_ask_.empty()) return std::nullopt;
  Question question{folders_[to_ask_.front()].root, {}, {}};
  std::size_t bytes = 0;
  while (!to_ask_.empty() && folders_[to_ask_.front()].root == question.root && bytes < most_bytes) {
    question.numbers.push_back(to_ask_.front());
    question.folders.emplace_back(relative_to(folders_[to_ask_.front()].path, question.root));
    bytes += question.folders.back().size() + sizeof(std::uint32_t);
    to_ask_.pop_front();
  }
  open_ += question.numbers.size();
  return question;
}

void MirrorSweep::found(std::size_t folder, std::string name, FoundKind kind) {
  if (!given_up_.empty()) return;
  if (!is_name(name)) return unlisted(folder);
  if (++found_ > kMostFound)
    return give_up(
        "more than 200,000 files and folders are to be looked at; ignore folders that need not be");
  to_judge_.push_back({folder, std::move(name), kind});
}

void MirrorSweep::unlisted(std::size_t folder, bool absent) {
  keep(folder);
  if (absent) return;
  if (unlisted_++ == 0) first_unlisted_ = folders_[folder].path;
}

void MirrorSweep::answered(std::size_t) { --open_; }

void MirrorSweep::give_up(std::string why) {
  if (given_up_.empty()) given_up_ = std::move(why);
  to_ask_.clear();
  to_judge_.clear();
}

bool MirrorSweep::work(WorkBudget& budget) {
  while (!to_judge_.empty()) {
    Found& next = to_judge_.front();
    const std::uint64_t cost = mirror_->rules->cost() * (next.name.size() + 1);
    if (!budget.take(cost)) return false;
    Found found = std::move(next);
    to_judge_.pop_front();
    judge(std::move(found));
    // Nothing of it will go: what is left need not be looked at. One more than may is enough to know.
    if (gone_.size() > mirror_->most && gone_.size() >= kMostNamed) to_ask_.clear(), to_judge_.clear();
  }
  return true;
}

// A folder in which something stays has to stay itself.
void MirrorSweep::keep(std::size_t folder) {
  for (; folder != kNone && !folders_[folder].keeps; folder = folders_[folder].parent)
    folders_[folder].keeps = true;
}

std::vector<MirrorRules::Origin> MirrorSweep::origins_of(const Folder& folder,
                                                         const std::string& name) const {
  std::vector<MirrorRules::Origin> origins;
  for (const auto& it : folder.origins) origins.push_back({it.route, join_path(it.path, name)});
  return origins;
}

void MirrorSweep::judge(Found found) {
  const Folder& in = folders_[found.folder];
  const std::string path = join_path(in.path, found.name);
  const bool directory = found.kind == FoundKind::Directory;
  if (found.kind == FoundKind::Mount || found.kind == FoundKind::Other || path.size() > kLongestPath)
    return keep(found.folder);
  auto origins = origins_of(in, found.name);
  const auto wanted = mirror_->wanted.find(path);
  auto verdict = MirrorRules::Verdict::Stays;
  if (wanted == mirror_->wanted.end())
    verdict = mirror_->rules->judge(path, directory, origins, cursors_);
  else if (directory && wanted->second && !mirror_->rules->is_root(path))
    verdict = MirrorRules::Verdict::Looked;
  if (verdict != MirrorRules::Verdict::Goes) keep(found.folder);
  if (verdict == MirrorRules::Verdict::Stays) return;
  const std::string root = in.root;
  if (directory)
    return add({path, root, std::move(origins), found.folder, verdict == MirrorRules::Verdict::Goes, false});
  if (!mirror_->deleted.contains(path))
    gone_.push_back({origins.front().path, path, FileType::File, root, {}});
}

std::vector<RemoteDelete> MirrorSweep::going_folders() const {
  std::vector<RemoteDelete> all;
  for (const Folder& it : folders_)
    if (it.goes && !it.keeps && !mirror_->deleted.contains(it.path))
      all.push_back({it.origins.front().path, it.path, FileType::Directory, it.root, {}});
  return all;
}

MirrorFindings MirrorSweep::findings() const {
  MirrorFindings findings;
  findings.note = note();
  if (!given_up_.empty()) return findings;
  findings.deletes = gone_;
  std::ranges::move(going_folders(), std::back_inserter(findings.deletes));
  if (findings.deletes.size() <= mirror_->most) return findings;
  findings.held = say_held(std::move(findings.deletes));
  findings.deletes.clear();
  return findings;
}

std::string MirrorSweep::say_held(std::vector<RemoteDelete> all) const {
  std::ranges::sort(all, {}, &RemoteDelete::to);
  std::string named;
  for (std::size_t i = 0; i < all.size() && i < kMostNamed; ++i)
    named += (i == 0 ? "" : ", ") + visible(all[i].to);
  return "nothing that only this container has was deleted, as that would be more than "
         "spec.source.maxDeletes (" +
         std::to_string(mirror_->most) + "): " + named + (all.size() > kMostNamed ? " and more" : "") +
         "; ignore what is to stay (spec.source.ignore or the ignore file), or raise maxDeletes";
}

std::string MirrorSweep::note() const {
  const std::string mirror = "spec.source.deletes: Mirror: ";
  if (!given_up_.empty()) return mirror + "nothing that only this container has was deleted: " + given_up_;
  if (unlisted_ == 0) return {};
  return mirror + visible(first_unlisted_) +
         (unlisted_ == 1 ? "" : " and " + std::to_string(unlisted_ - 1) + " more folders") +
         " cannot be listed, so what only this container has there stays";
}

}  // namespace live_update
