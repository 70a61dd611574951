#include "test/sim/world/model_host.h"

#include <algorithm>
#include <cerrno>
#include <deque>

namespace live_update::sim {
namespace {

using Kind = FileEvent::Kind;

std::string clean(const std::string& path) {
  if (path == ".") return "";
  return path.starts_with("./") ? path.substr(2) : path;
}

std::string parent_of(const std::string& path) {
  const auto slash = path.rfind('/');
  return slash == std::string::npos ? "" : path.substr(0, slash);
}

FileKind kind_of(FileType type) {
  if (type == FileType::Symlink) return FileKind::Symlink;
  return type == FileType::Directory ? FileKind::Directory : FileKind::File;
}

std::deque<std::string> names_of(const std::string& path) {
  std::deque<std::string> names(1);
  for (const char c : path)
    if (c == '/')
      names.emplace_back();
    else
      names.back() += c;
  std::erase_if(names, [](const std::string& it) { return it.empty() || it == "."; });
  return names;
}

}  // namespace

class ModelHost::Watch : public TreeWatch {
 public:
  Watch(ModelHost& host, const PathFilter& filter, Callbacks callbacks)
      : host_(host), filter_(filter), callbacks_(std::move(callbacks)) {
    host_.watches_.push_back(this);
  }
  ~Watch() override { std::erase(host_.watches_, this); }

  bool follows(const std::string& link) const { return filter_.follows(link); }
  void hear(const std::string& path, Kind kind) {
    const bool wanted = kind == Kind::Rescan ? filter_.enters(path) : filter_.wants_events(path);
    if (!wanted) return;
    queue_.push_back({path, kind});
    if (!timer_) timer_ = host_.loop_.in(Micros(host_.random_.below(3'000)), [this] { ready(); });
  }
  void overflow() {
    queue_.clear();
    hear("", Kind::Rescan);
  }

  Result<> restart() override {
    queue_.clear();
    return {};
  }
  Handle on_readable(Loop&, std::function<void()> work) override {
    work_ = std::move(work);
    return Handle([this] { work_ = nullptr; });
  }
  void read() override {
    while (!queue_.empty()) {
      const FileEvent event = std::move(queue_.front());
      queue_.pop_front();
      callbacks_.on_event(event);
    }
  }
  bool needs_polling() const override { return false; }
  void poll() override {}
  bool root_watched() const override { return true; }

 private:
  void ready() {
    timer_.reset();
    if (work_ && !queue_.empty()) work_();
  }
  ModelHost& host_;
  const PathFilter& filter_;
  const Callbacks callbacks_;
  std::deque<FileEvent> queue_;
  std::function<void()> work_;
  Handle timer_;
};

std::unique_ptr<TreeWatch> ModelHost::watch(const PathFilter& filter, TreeWatch::Callbacks callbacks) {
  return std::make_unique<Watch>(*this, filter, std::move(callbacks));
}

ModelHost::Links ModelHost::links() const {
  Links links;
  for (const auto& [path, node] : nodes_) {
    if (node.type != FileType::Symlink) continue;
    if (const LinkEnd end = end_of(path, true); end.where == LinkEnd::Inside)
      links.emplace_back(path, end.path);
  }
  return links;
}

void ModelHost::tell(const std::string& path, Kind kind, const Links& links) {
  for (Watch* it : watches_) {
    it->hear(path, kind);
    for (const auto& [link, end] : links)
      if (it->follows(link) && (path == end || path.starts_with(end + '/')))
        it->hear(link + path.substr(end.size()), kind);
  }
}

LinkEnd ModelHost::end_of(const std::string& path, bool last) const {
  std::string at;
  int followed = 0;
  for (auto left = names_of(path); !left.empty();) {
    const std::string name = left.front();
    left.pop_front();
    if (name == "..") {
      if (at.empty()) return {LinkEnd::Outside, "/"};
      at = parent_of(at);
      continue;
    }
    const std::string next = at.empty() ? name : at + '/' + name;
    const auto found = nodes_.find(next);
    if (found == nodes_.end()) return {};
    const HostNode& node = found->second;
    if (node.type == FileType::Symlink && (last || !left.empty())) {
      if (++followed > 40) return {};
      if (node.content.starts_with('/')) return {LinkEnd::Outside, node.content};
      const auto names = names_of(node.content);
      left.insert(left.begin(), names.begin(), names.end());
      continue;
    }
    if (!left.empty() && node.type != FileType::Directory) return {};
    at = next;
  }
  return {LinkEnd::Inside, at};
}

void ModelHost::overflow() {
  for (Watch* it : watches_) it->overflow();
}

HostNode& ModelHost::touch(const std::string& path, FileType type) {
  HostNode& node = nodes_[path];
  node.type = type;
  node.changed_ns = files_.now_ns();
  node.inode = ++inodes_;  // so that no two states of a file look alike
  return node;
}

void ModelHost::make_parents(const std::string& path) {
  const std::string up = parent_of(path);
  if (up.empty()) return;
  if (const auto found = nodes_.find(up); found != nodes_.end()) {
    if (found->second.type == FileType::Directory) return;
    remove(up);
  }
  make_parents(up);
  touch(up, FileType::Directory).mode = 0755;
  tell(up, Kind::Rescan);
}

void ModelHost::write(const std::string& path, const std::string& content) {
  make_parents(path);
  const auto before = nodes_.find(path);
  if (before != nodes_.end() && before->second.type == FileType::Directory) remove(path);
  touch(path, FileType::File).content = content;
  tell(path, Kind::Writing);
  tell(path, Kind::Closed);
}

// As `ln -sfn`.
void ModelHost::link(const std::string& path, const std::string& target) {
  const auto leads_to_folder = [&] {
    const LinkEnd end = end_of(path, true);
    return end.where == LinkEnd::Inside && nodes_.contains(end.path) &&
           nodes_.at(end.path).type == FileType::Directory;
  };
  const bool before = leads_to_folder();
  make_parents(path);
  if (const auto there = nodes_.find(path);
      there != nodes_.end() && there->second.type == FileType::Directory)
    remove(path);
  HostNode& node = touch(path, FileType::Symlink);
  node.content = target;
  node.mode = 0777;
  tell(path, before || leads_to_folder() ? Kind::Rescan : Kind::Changed);
}

void ModelHost::chmod(const std::string& path, unsigned mode) {
  const auto found = nodes_.find(path);
  if (found == nodes_.end() || found->second.mode == mode) return;
  found->second.mode = mode;
  found->second.changed_ns = files_.now_ns();
  found->second.inode = ++inodes_;
  tell(path, Kind::Attributes);
}

void ModelHost::remove(const std::string& path) {
  const auto found = nodes_.find(path);
  if (found == nodes_.end()) return;
  const bool file = found->second.type == FileType::File;
  const Links before = links();
  nodes_.erase(found);
  nodes_.erase(nodes_.lower_bound(path + '/'), nodes_.lower_bound(path + '0'));
  tell(path, file ? Kind::Changed : Kind::Rescan, before);
}

void ModelHost::rename(const std::string& from, const std::string& to) {
  const auto found = nodes_.find(from);
  if (found == nodes_.end() || from == to || to.starts_with(from + '/') || from.starts_with(to + '/')) return;
  HostNodes moved;
  moved[to] = found->second;
  for (auto it = nodes_.lower_bound(from + '/'); it != nodes_.end() && it->first.starts_with(from + '/');
       ++it)
    moved[to + it->first.substr(from.size())] = it->second;
  remove(from);
  remove(to);
  make_parents(to);
  for (auto& [path, node] : moved) nodes_[path] = node;
  tell(to, moved[to].type == FileType::Directory ? Kind::Rescan : Kind::Changed);
}

std::vector<std::string> ModelHost::files_below(const std::string& directory) const {
  std::vector<std::string> paths;
  for (const auto& [path, node] : nodes_)
    if (node.type == FileType::File && (directory.empty() || path.starts_with(directory + '/')))
      paths.push_back(path);
  return paths;
}

FileKind ModelHost::Files::look(const std::string& path) const {
  const auto there = status(clean(path));
  return there ? there->kind : FileKind::Missing;
}

LinkEnd ModelHost::Files::end(const std::string& path) const { return host_.end_of(path, true); }

FileKind ModelHost::Files::follow(const std::string& path) const {
  const auto there = status_behind(path);
  return there ? there->kind : FileKind::Missing;
}

std::vector<std::string> ModelHost::Files::list(const std::string& directory) const {
  return names(clean(directory)).names;
}

Result<std::string> ModelHost::Files::read(const std::string& path) const {
  const LinkEnd end = host_.end_of(path, true);
  const auto found = host_.nodes_.find(end.path);
  if (end.where != LinkEnd::Inside || found == host_.nodes_.end())
    return fail(ErrorKind::NotFound, path + " does not exist");
  return found->second.content;
}

std::expected<FileStatus, int> ModelHost::Files::status(const std::string& path) const {
  return status_at(host_.end_of(path, false));
}

std::expected<FileStatus, int> ModelHost::Files::status_behind(const std::string& path) const {
  return status_at(host_.end_of(path, true));
}

std::expected<FileStatus, int> ModelHost::Files::status_at(const LinkEnd& end) const {
  if (end.where != LinkEnd::Inside) return std::unexpected(ENOENT);
  if (end.path.empty()) return FileStatus{.kind = FileKind::Directory, .mode = 0755, .print = {}};
  const auto found = host_.nodes_.find(end.path);
  if (found == host_.nodes_.end()) return std::unexpected(ENOENT);
  const HostNode& node = found->second;
  return FileStatus{.kind = kind_of(node.type),
                    .mode = node.mode,
                    .print = {.device = 1,
                              .inode = node.inode,
                              .size = node.content.size(),
                              .modified_ns = node.changed_ns,
                              .changed_ns = node.changed_ns}};
}

std::expected<std::string, int> ModelHost::Files::link_target(const std::string& path) const {
  const auto found = host_.nodes_.find(host_.end_of(path, false).path);
  if (found == host_.nodes_.end()) return std::unexpected(ENOENT);
  if (found->second.type != FileType::Symlink) return std::unexpected(EINVAL);
  return found->second.content;
}

HostFiles::Listing ModelHost::Files::names(const std::string& directory) const {
  const LinkEnd end = host_.end_of(directory, true);
  const auto there = status_at(end);
  if (!there || there->kind != FileKind::Directory) return {.names = {}, .error = there ? ENOTDIR : ENOENT};
  Listing listing{.names = {}, .opened = true};
  const std::string above = end.path.empty() ? "" : end.path + '/';
  for (auto it = host_.nodes_.lower_bound(above); it != host_.nodes_.end() && it->first.starts_with(above);
       ++it)
    if (const std::string rest = it->first.substr(above.size()); !rest.contains('/'))
      listing.names.push_back(rest);
  return listing;
}

std::expected<HostFiles::Reading, int> ModelHost::Files::read(const std::string& path, Links links,
                                                              std::uint64_t limit) const {
  const LinkEnd end = host_.end_of(path, false);
  const auto there = status_at(end);
  if (!there) return std::unexpected(there.error());
  const bool linked = there->kind == FileKind::Symlink || (links == Links::NoneOnTheWay && end.path != path);
  if (linked) return std::unexpected(ELOOP);
  Reading reading{.before = *there, .after = *there, .bytes = {}};
  if (there->kind != FileKind::File || there->print.size > limit) return reading;
  reading.bytes = host_.nodes_.at(end.path).content;
  reading.whole = true;
  return reading;
}

std::int64_t ModelHost::Files::now_ns() const {
  return std::chrono::nanoseconds(host_.loop_.wall_clock().time_since_epoch()).count();
}

}  // namespace live_update::sim
