#include "watcher/scanner.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <set>

#include "core/base/path.h"
#include "core/base/text.h"
#include "run/content.h"
#include "watcher/file_system.h"
#include "watcher/links.h"

namespace live_update {
namespace {

constexpr int kReadAttempts = 3;
constexpr std::string_view kNotUtf8 = "skipped: the name is not UTF-8 and cannot be sent; rename it";
constexpr std::int64_t kRacyNs = 1'000'000'000;

Entry entry_of(const FileStatus& info, FileType type) {
  const auto since_epoch = std::chrono::nanoseconds(info.print.modified_ns);
  return {.type = type,
          .mode = info.mode,
          .mtime = Time(std::chrono::floor<std::chrono::microseconds>(since_epoch)),
          .size = type == FileType::File ? info.print.size : 0};
}

Error unreadable(int error) {
  // Of a missing right an event tells when it is given.
  const ErrorKind kind = error == EACCES ? ErrorKind::Forbidden : ErrorKind::Io;
  return {kind, fmt::format("not synced: cannot be read ({}); make it readable for you, or ignore it",
                            std::strerror(error))};
}

// Stands for the bytes of a file that is too large to read: it differs whenever the file does.
std::string unread_digest(const Fingerprint& print) {
  return sha256(
      fmt::format("not read: {} bytes, inode {}, modified {}", print.size, print.inode, print.modified_ns));
}

bool parent_is_no_directory(const std::string& path, const Tree& tree) {
  for (auto slash = path.find('/'); slash != std::string::npos; slash = path.find('/', slash + 1)) {
    const Entry* parent = tree.find(path.substr(0, slash));
    if (parent && parent->type != FileType::Directory) return true;
  }
  return false;
}

}  // namespace

// What a look came across. Whatever the tree has besides at these paths is gone, if it is not unknown.
struct Scanner::Walk {
  std::string top;  // with everything below
  std::set<std::string> seen;
  Problems before;  // that were known of these paths
};

Scanner::Scanner(const HostFiles& files, const PathFilter& filter, KnownFiles& known, Warn warn,
                 std::uint64_t largest)
    : files_(files), filter_(filter), known_(known), warn_(std::move(warn)), largest_(largest) {}

// Whether no link is on the way to a path but those that are followed. Behind others there is nothing of ours.
bool Scanner::reachable(const std::string& path) const {
  for (auto slash = path.find('/'); slash != std::string::npos; slash = path.find('/', slash + 1)) {
    const std::string up = path.substr(0, slash);
    const auto info = files_.status(up);
    if (!info || info->kind != FileKind::Symlink) continue;
    const LinkEnd end = files_.end(up);
    if (!filter_.follows(up) || end.where != LinkEnd::Inside || !filter_.follows_to(up, end.path))
      return false;
  }
  return true;
}

std::expected<HostFiles::Reading, int> Scanner::read(const std::string& path) const {
  auto reading = files_.read(path, HostFiles::Links::NoneOnTheWay, largest_);
  if (reading || reading.error() != ELOOP) return reading;
  const bool itself = filter_.follows(path);
  const auto slash = path.rfind('/');
  const std::string name = slash == std::string::npos ? path : path.substr(slash + 1);
  const LinkEnd end = files_.end(itself || name == path ? (itself ? path : "") : path.substr(0, slash));
  if (!reachable(path) || end.where != LinkEnd::Inside) return std::unexpected(ELOOP);
  const std::string real = itself ? end.path : end.path.empty() ? name : end.path + '/' + name;
  return files_.read(real, HostFiles::Links::NotAtTheEnd, largest_);
}

Scanner::Walk Scanner::begin(const std::string& path) {
  Walk walk{.top = path, .seen = {}, .before = {}};
  const auto move_out = [&](Problems::iterator from, Problems::iterator to) {
    while (from != to) walk.before.insert(problems_.extract(from++));
  };
  if (path.empty()) {
    move_out(problems_.begin(), problems_.end());
  } else {
    if (const auto own = problems_.find(path); own != problems_.end()) move_out(own, std::next(own));
    move_out(problems_.lower_bound(path + '/'), problems_.lower_bound(path + '0'));
  }
  unknown_.forget(path);
  return walk;
}

void Scanner::end(const Walk& walk, const Tree& tree) {
  for (const auto& [path, problem] : walk.before)
    if (problem.kind == Problem::Unreadable && !problems_.contains(path) && (path.empty() || tree.type(path)))
      warn_(path, "");
}

Result<> Scanner::scan(const std::string& directory, Tree& tree) {
  const auto root = files_.status_behind("");
  const int error = root ? 0 : root.error();
  if (says_absent(error) || (root && root->kind != FileKind::Directory))
    return fail(ErrorKind::NotFound, fmt::format("the root {} is gone", files_.root()));
  if (!reachable(directory)) return {};
  Walk walk = begin(directory);
  if (error != 0)
    cannot_see(directory, error, walk);
  else if (directory.empty())
    visit_directory("", tree, walk);
  else
    visit(directory, tree, walk);
  auto old = tree.below(directory);
  if (!directory.empty() && tree.find(directory)) old.push_back(directory);
  for (const std::string& path : old)
    if (!walk.seen.contains(path) && !unknown_.spares(path)) forget(path, tree);
  end(walk, tree);
  return {};
}

void Scanner::look(const std::string& path, Tree& tree) {
  if (!is_utf8(path))
    return note(path, {.kind = Problem::Skipped, .message = std::string(kNotUtf8)}, problems_);
  if (parent_is_no_directory(path, tree)) return forget(path, tree);
  if (!reachable(path)) return;
  const auto info = filter_.follows(path) ? files_.status_behind(path) : files_.status(path);
  const bool is_directory = info && info->kind == FileKind::Directory;
  const bool was_directory = tree.type(path) == FileType::Directory;
  if (is_directory && was_directory && !unknown_.names(path)) return;
  if (is_directory || was_directory) {
    (void)scan(path, tree);  // without a root there is nothing to look at, and the next scan says so
    return;
  }
  Walk walk = begin(path);
  visit(path, tree, walk);
  if (!walk.seen.contains(path) && !unknown_.spares(path)) forget(path, tree);
  end(walk, tree);
}

// A sync's own link: what it leads to takes its place. It is never sent as a link, and one that leads to nothing
// is no word that the files are gone.
bool Scanner::follow(const std::string& path, FileStatus& info, Walk& walk) {
  const LinkEnd end = files_.end(path);
  if (end.where == LinkEnd::Inside && filter_.holds_back(end.path)) {
    held_back_.push_back(path);
  } else if (end.where != LinkEnd::Inside) {
    note(path,
         {.kind = Problem::Unreadable,
          .message = "not synced: " + say_refused(end) + "; only what is inside can be synced",
          .try_again = end.where == LinkEnd::Nowhere},
         walk.before);
  } else if (!filter_.follows_to(path, end.path)) {
    note(path,
         {.kind = Problem::Unreadable,
          .message =
              fmt::format("not synced: a link that leads to {}, which is ignored; sync another folder, or "
                          "ignore it no more",
                          visible(end.path)),
          .try_again = true},
         walk.before);
  } else if (const auto behind = files_.status_behind(path)) {
    info = *behind;
    return true;
  } else {
    cannot_see(path, behind.error(), walk);
  }
  unknown_.add(path, true);
  return false;
}

void Scanner::visit(const std::string& path, Tree& tree, Walk& walk) {
  const auto status = files_.status(path);
  if (!status) {
    if (!says_absent(status.error())) cannot_see(path, status.error(), walk);
    return;
  }
  FileStatus info = *status;
  if (info.kind == FileKind::Symlink && filter_.follows(path) && !follow(path, info, walk)) return;
  if (info.kind == FileKind::Directory) {
    if (filter_.counts(path)) put(path, entry_of(info, FileType::Directory), tree), walk.seen.insert(path);
    if (filter_.enters(path))
      visit_directory(path, tree, walk);
    else if (filter_.holds_back(path))
      held_back_.push_back(path);
    return;
  }
  if (!filter_.counts(path)) {
    if (filter_.holds_back(path)) held_back_.push_back(path);
    return;
  }
  if (info.kind == FileKind::Symlink) {
    visit_link(path, info, tree, walk);
  } else if (info.kind == FileKind::File) {
    walk.seen.insert(path);
    visit_file(path, info, tree, walk);
  } else {
    note(path, {.kind = Problem::Skipped, .message = fmt::format("skipped: {} is not synced", info.special)},
         walk.before);
  }
}

void Scanner::visit_link(const std::string& path, const FileStatus& info, Tree& tree, Walk& walk) {
  auto target = files_.link_target(path);
  if (!target) {
    if (!says_absent(target.error()) && target.error() != EINVAL) cannot_see(path, target.error(), walk);
    return;
  }
  if (!is_utf8(*target))
    return note(path, {.kind = Problem::Skipped, .message = "skipped: the link's target is not UTF-8"},
                walk.before);
  Entry entry = entry_of(info, FileType::Symlink);
  entry.target = std::move(*target);
  put(path, std::move(entry), tree);
  walk.seen.insert(path);
}

void Scanner::visit_directory(const std::string& path, Tree& tree, Walk& walk) {
  const auto [names, error, opened] = files_.names(path);
  if (!opened && says_absent(error)) return;
  if (error != 0) cannot_see(path, error, walk);  // and yet what was listed is there
  for (const std::string& name : names) {
    const std::string child = path.empty() ? name : path + '/' + name;
    if (!is_utf8(name))
      note(child, {.kind = Problem::Skipped, .message = std::string(kNotUtf8)}, walk.before);
    else
      visit(child, tree, walk);
  }
}

void Scanner::visit_file(const std::string& path, const FileStatus& info, Tree& tree, Walk& walk) {
  const Fingerprint& print = info.print;
  auto known = known_.find(path);
  const bool too_large = print.size > largest_;
  if (auto said = walk.before.find(path);
      too_large && said != walk.before.end() && said->second.kind == Problem::TooLarge)
    problems_.insert(walk.before.extract(said));
  if (known != known_.end() && known->second.print == print && !known->second.racy) {
    const Entry* old = tree.find(path);
    if (old && old->type == FileType::File && old->digest == known->second.digest && old->mode == info.mode)
      return;
    Entry entry = entry_of(info, FileType::File);
    entry.digest = known->second.digest;
    return put(path, std::move(entry), tree);
  }
  auto loaded = load(path);
  if (loaded) {
    if (loaded->size > content_budget_)
      loaded->pieces.clear();
    else
      content_budget_ -= loaded->size, kept_.push_back(path);
    return put(path, std::move(*loaded), tree);
  }
  if (loaded.error().kind == ErrorKind::NotFound) return forget(path, tree);
  if (loaded.error().kind != ErrorKind::TooLarge) return cannot_load(path, loaded.error(), walk.before);
  Entry entry = entry_of(info, FileType::File);
  entry.digest = unread_digest(print);
  known_[path] = {.print = print, .digest = entry.digest};
  put(path, std::move(entry), tree);
}

Result<Entry> Scanner::load(const std::string& path) {
  for (int attempt = 0; attempt < kReadAttempts; ++attempt) {
    const std::int64_t begin = files_.now_ns();
    auto reading = read(path);
    if (!reading && says_absent(reading.error())) return fail(ErrorKind::NotFound, "gone");
    if (!reading) return std::unexpected(unreadable(reading.error()));
    auto& [before, after, bytes, whole, error] = *reading;
    if (before.kind != FileKind::File) return fail(ErrorKind::NotFound, "no regular file");
    if (before.print.size > largest_)
      return fail(ErrorKind::TooLarge,
                  fmt::format("not synced: it has {:.1f} MB, and files above {} MB are refused; ignore it",
                              static_cast<double>(before.print.size) / (1 << 20), largest_ >> 20));
    if (error == EIO) return fail(ErrorKind::Io, "not synced: the disk reports an error while it is read");
    if (error != 0) return std::unexpected(unreadable(error));
    ++files_read_;
    if (!whole || before.print != after.print || bytes.size() != after.print.size) continue;
    Entry entry = entry_of(after, FileType::File);
    entry.digest = sha256(bytes);
    const Fingerprint& print = after.print;
    known_[path] = {.print = print,
                    .digest = entry.digest,
                    .racy = begin - std::max(print.modified_ns, print.changed_ns) < kRacyNs};
    entry.pieces.push_back({0, Encoding::Identity, std::make_shared<std::string>(std::move(bytes))});
    return entry;
  }
  return fail(ErrorKind::Conflict, "it is being written");
}

void Scanner::put(const std::string& path, Entry entry, Tree& tree) {
  if (entry.type != FileType::Directory) tree.forget_below(path);
  if (entry.type != FileType::File) known_.erase(path);
  tree.write(path, std::move(entry));
}

void Scanner::forget(const std::string& path, Tree& tree) {
  tree.forget(path);
  known_.erase(path);
  known_.erase(known_.lower_bound(path + '/'), known_.lower_bound(path + '0'));
}

void Scanner::note(const std::string& path, Problem problem, const Problems& before) {
  const auto said = before.find(path);
  const bool news = said == before.end() || !said->second.same(problem);
  if (problem.kind >= Problem::Writing) unknown_.add(path);
  const std::string message = problem.kind == Problem::Writing ? "" : problem.message;
  problems_[path] = std::move(problem);
  if (news && !message.empty()) warn_(path, message);
}

// Whether it is a file or a folder is not known either, so nothing below it is.
void Scanner::cannot_see(const std::string& path, int error, const Walk& walk) {
  unknown_.add(path, true);
  note(
      path,
      {.kind = Problem::Unreadable,
       .message = fmt::format("not synced: {}; make it readable for you, or ignore it", std::strerror(error)),
       .try_again = true},
      walk.before);
}

void Scanner::cannot_load(const std::string& path, const Error& error) {
  if (error.kind == ErrorKind::NotFound) return;
  cannot_load(path, error, problems_);
}

void Scanner::cannot_load(const std::string& path, const Error& error, const Problems& before) {
  using enum Problem::Kind;
  const auto kind = error.kind == ErrorKind::TooLarge   ? TooLarge
                    : error.kind == ErrorKind::Conflict ? Writing
                                                        : Unreadable;
  const std::string message =
      kind == Writing ? "not synced: it keeps changing while it is read; it is sent when it holds still"
                      : error.message;
  const bool try_again = error.kind == ErrorKind::Io || error.kind == ErrorKind::Conflict;
  note(path, {kind, message, try_again}, before);
}

std::string Scanner::untold(const std::string& path) const {
  const auto found = problems_.find(path);
  return found != problems_.end() && found->second.kind == Problem::Writing ? found->second.message : "";
}

std::vector<std::string> Scanner::to_try_again() const {
  std::vector<std::string> paths;
  for (const auto& [path, problem] : problems_)
    if (problem.try_again) paths.push_back(path);
  return paths;
}

}  // namespace live_update
