#include "agent/files/batch.h"

#include <fcntl.h>
#include <linux/stat.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>

#include "agent/files/temp_name.h"
#include "agent/files/tree_ops.h"

namespace live_update::agent {
namespace {

constexpr std::uint64_t kMostPassed = 16 << 20;  // of content, for the sake of naming all places

// Whether it is still the one that was looked at, unchanged.
bool unchanged(const struct stat& was, const struct stat& is) {
  const auto equal = [](const timespec& a, const timespec& b) {
    return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
  };
  return was.st_dev == is.st_dev && was.st_ino == is.st_ino && was.st_size == is.st_size &&
         equal(was.st_mtim, is.st_mtim) && equal(was.st_ctim, is.st_ctim);
}

std::string link_target(int directory, const char* name) {
  std::string target(kMaxPath + 1, '\0');
  const auto size = readlinkat(directory, name, target.data(), target.size());
  target.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
  return target;
}

// A file mounted by itself; known from Linux 5.8 on, noticed by EBUSY before.
bool mounted_by_itself(int directory, const char* name) {
  struct statx there;
  return statx(directory, name, AT_SYMLINK_NOFOLLOW, STATX_TYPE, &there) == 0 && S_ISREG(there.stx_mode) &&
         (there.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0;
}

}  // namespace

Batch::Batch(const Begin& begin, Inflater& inflater)
    : begin_(begin),
      inflater_(inflater),
      roots_(begin_.roots),
      switch_([this](const std::string& path) { return going_.contains(path); }) {}

Batch::~Batch() {
  if (committed_) return;
  if (open_file_) puts_.push_back({open_spot_, open_file_->at(), open_file_->file()});
  for (const auto& put : puts_) {
    if (put.staged.memory || put.staged.name.empty()) continue;
    put.spot.root->forget();
    if (const auto directory = put.spot.root->open(put.staged.directory))
      remove_tree((*directory)->get(), put.staged.name);
  }
  for (auto made = made_.rbegin(); made != made_.rend(); ++made) rmdir(made->c_str());
}

Try<> Batch::count_one() {
  if (open_file_) return failed(nonsense("the content of " + open_spot_.shown() + " is not complete"));
  if (!passing_.empty()) return failed(nonsense("the content of " + passing_ + " is not complete"));
  if (++entries_ <= kMaxEntries) return {};
  return failed({Code::BadRequest, 0, "", "the batch has more than " + std::to_string(kMaxEntries) + " paths",
                 "send it in parts"});
}

// A place that cannot be written does not end the staging: there may be others. What is behind it is only
// looked at.
Try<> Batch::refuse(const Failure& failure, const std::string& with_content) {
  if (!obstacles_.take(failure)) return failed(obstacles_.any() ? obstacles_.failure() : failure);
  passing_ = with_content;
  return {};
}

Try<> Batch::pass_over(std::uint64_t bytes, bool last) {
  if (last) passing_.clear();
  passed_ += bytes;
  return passed_ > kMostPassed ? failed(obstacles_.failure()) : Try<>();
}

Try<> Batch::check_writable(const Spot& spot, std::string_view directory, const char* what) {
  const auto fd = spot.root->open(directory);
  if (!fd || faccessat((*fd)->get(), ".", W_OK | X_OK, 0) == 0) return {};
  return failed(errno_failure(errno, what, spot.shown()));
}

Try<std::string> Batch::nearest(const Spot& spot) {
  auto& root = *spot.root;
  if (const auto there = root.open(""); !there) {
    if (there.error() != ENOENT)
      return failed(errno_failure(there.error(), "cannot open the directory", root.path()));
    if (auto made = root.create(made_); !made) return failed(made.error());
  }
  auto directory = parent_of(spot.path);
  std::string_view below;
  while (true) {
    const auto there = root.open(directory);
    if (there) break;
    const int error = there.error();
    if (error != ENOENT && error != ENOTDIR && error != ELOOP)
      return failed(errno_failure(error, "cannot open the directory", root.absolute(directory)));
    below = directory;
    directory = parent_of(directory);
  }
  // A symlink in the way is fine only if this batch replaces it.
  if (!below.empty() && !going_.contains(root.absolute(below))) {
    struct stat there;
    const auto fd = root.open(directory);
    if (fstatat((*fd)->get(), std::string(name_of(below)).c_str(), &there, AT_SYMLINK_NOFOLLOW) == 0 &&
        S_ISLNK(there.st_mode)) {
      auto failure = errno_failure(ELOOP, "nothing is written through", root.absolute(below));
      failure.reason = "cannot write " + spot.shown() + ": " + root.absolute(below) + " is a symlink";
      return failed(std::move(failure));
    }
  }
  touched_[&root].emplace(directory);
  return std::string(directory);
}

Try<StagedAt> Batch::place(const Spot& spot, bool file) {
  auto directory = nearest(spot);
  if (!directory) return failed(directory.error());
  const auto fd = spot.root->open(*directory);
  if (!fd) return failed(errno_failure(fd.error(), "cannot open the directory of", spot.shown()));
  StagedAt at{std::move(*directory), next_temp_name(), {}};
  if (file && mounted_by_itself((*fd)->get(), std::string(name_of(spot.path)).c_str()) &&
      at.directory == parent_of(spot.path)) {
    auto memory = std::make_shared<const Fd>(memfd_create("live-update", MFD_CLOEXEC));
    if (*memory) at.memory = std::move(memory);
  }
  return at;
}

Try<> Batch::add(const File& file) {
  if (auto counted = count_one(); !counted) return counted;
  auto where = roots_.spot(file.root, file.path);
  if (!where) return failed(where.error());
  if (file.content == Content::Kept) return keep_content(std::move(*where), file);
  const auto content = file.size == 0 ? std::string() : where->shown();
  auto at = place(*where, true);
  if (!at) return refuse(at.error(), content);
  const auto directory = where->root->open(at->directory);
  if (!directory)
    return refuse(errno_failure(directory.error(), "cannot open the directory of", where->shown()), content);
  auto staged = StagedFile::create((*directory)->get(), std::move(*at), where->shown(), file);
  if (!staged) return refuse(staged.error(), content);
  if (obstacles_.any()) {
    puts_.push_back({std::move(*where), staged->at(), file});
    passing_ = content;
    return {};
  }
  inflater_.reset();
  open_file_ = std::make_unique<StagedFile>(std::move(*staged));
  open_spot_ = std::move(*where);
  return file.size == 0 ? finish_file() : Try<>();
}

// What is there gives its owner, and stays itself if its content is equal and it can have the mode.
Try<> Batch::finish_file() {
  const auto directory = open_spot_.root->open(parent_of(open_spot_.path));
  struct stat there;
  const bool replaces = directory &&
                        fstatat((*directory)->get(), std::string(name_of(open_spot_.path)).c_str(), &there,
                                AT_SYMLINK_NOFOLLOW) == 0 &&
                        S_ISREG(there.st_mode);
  const auto done = open_file_->finish(inflater_, replaces ? &there : nullptr);
  Put put{open_spot_, open_file_->at(), open_file_->file()};
  if (done && replaces && static_cast<std::uint64_t>(there.st_size) == put.file.size) {
    const auto old = open_file(open_spot_);
    struct stat opened;
    if (old && fstat(old->get(), &opened) == 0 && unchanged(there, opened) && open_file_->same_as(old->get()))
      put.same = std::make_unique<struct stat>(there);
  }
  if (!open_file_->owner_trouble().empty() && !put.same)
    warnings().push_back({0, open_spot_.shown(), open_file_->owner_trouble()});
  puts_.push_back(std::move(put));
  open_file_.reset();
  return done;
}

Try<> Batch::add(const Data& data) {
  if (!passing_.empty()) return pass_over(data.bytes.size(), data.last);
  if (!open_file_) return failed(nonsense("content came that belongs to no file"));
  if (auto added = open_file_->add(data, inflater_); !added) return added;
  return data.last ? finish_file() : Try<>();
}

Try<Fd> Batch::open_file(const Spot& spot) {
  const auto directory = spot.root->open(parent_of(spot.path));
  Fd fd(directory ? openat((*directory)->get(), std::string(name_of(spot.path)).c_str(),
                           O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
                  : -1);
  const int error = directory ? errno : directory.error();
  struct stat there;
  if (fd && fstat(fd.get(), &there) == 0 && S_ISREG(there.st_mode)) return fd;
  if (fd || error == ENOENT || error == ENOTDIR || error == ELOOP)
    return failed(
        {Code::Missing, ENOENT, spot.shown(), spot.shown() + " is not there as a file", "send its content"});
  return failed(errno_failure(error, "cannot read", spot.shown()));
}

// Rule 2.7: the bytes that are there stay. A file of somebody else cannot get another mode: then it is
// copied.
Try<> Batch::keep_content(Spot where, const File& file) {
  const auto fd = open_file(where);
  if (!fd) return refuse(fd.error());
  struct stat there;
  if (fstat(fd->get(), &there) != 0) return refuse(errno_failure(errno, "cannot read", where.shown()));
  const auto digest = digest_of(fd->get());
  if (!digest) return refuse(errno_failure(digest.error(), "cannot read", where.shown()));
  if (*digest != file.digest)
    return refuse({Code::Digest, 0, where.shown(),
                   where.shown() + " does not have the content it should have", "send its content"});
  const bool as_it_is = (there.st_mode & 07777) == (file.mode & 0777);
  if (as_it_is || there.st_uid == geteuid() || geteuid() == 0) {
    puts_.push_back({std::move(where), {}, file, true});
    return {};
  }
  auto copied = file;
  copied.content = Content::Sent;
  copied.size = static_cast<std::uint64_t>(there.st_size);
  if (auto added = add(copied); !added) return added;
  if (!passing_.empty()) return pass_over(0, true);
  if (copied.size > 0) {
    if (auto added = open_file_->add_all(fd->get()); !added) return added;
    if (auto done = finish_file(); !done) return done;
  }
  if (obstacles_.any()) return {};
  puts_.back().same.reset();
  puts_.back().time = Mtime{there.st_mtim.tv_sec, static_cast<std::uint32_t>(there.st_mtim.tv_nsec)};
  return {};
}

Try<> Batch::add(const Symlink& symlink) {
  if (auto counted = count_one(); !counted) return counted;
  auto where = roots_.spot(symlink.root, symlink.path);
  if (!where) return failed(where.error());
  if (roots_.leads_to_one(*where))
    return failed({Code::Escapes, 0, where->shown(),
                   "no symlink is put at " + where->shown() + ": a sync leads to it, or through it",
                   "let the link lead from another place, or sync what it points to"});
  auto at = place(*where, false);
  if (!at) return refuse(at.error());
  const auto directory = where->root->open(at->directory);
  if (!directory || symlinkat(symlink.target.c_str(), (*directory)->get(), at->name.c_str()) != 0)
    return refuse(errno_failure(directory ? errno : directory.error(), "cannot create a symlink beside",
                                where->shown()));
  Put put{.spot = std::move(*where), .staged = std::move(*at), .is_file = false};
  const std::string name(name_of(put.spot.path));
  struct stat there;
  if (put.staged.directory == parent_of(put.spot.path) &&
      fstatat((*directory)->get(), name.c_str(), &there, AT_SYMLINK_NOFOLLOW) == 0 &&
      S_ISLNK(there.st_mode) && link_target((*directory)->get(), name.c_str()) == symlink.target)
    put.same = std::make_unique<struct stat>(there);
  puts_.push_back(std::move(put));
  return {};
}

Try<> Batch::add(const Directory& directory) {
  if (auto counted = count_one(); !counted) return counted;
  // The sync root itself may be reached by a symlink; else it is made as any other.
  if (directory.path.empty() && roots_.is_directory(directory.root)) return {};
  auto where = roots_.spot(directory.root, directory.path);
  if (!where) return failed(where.error());
  going_.insert(where->shown());
  const auto at = nearest(*where);
  if (!at) return refuse(at.error());
  if (!where->root->open(where->path)) {
    if (auto may = check_writable(*where, *at, "cannot make the directory"); !may) return refuse(may.error());
  }
  directories_.emplace_back(std::move(*where), directory.mode);
  return {};
}

Try<> Batch::add(const Delete& gone) {
  if (auto counted = count_one(); !counted) return counted;
  auto where = roots_.spot(gone.root, gone.path);
  if (!where) return failed(where.error());
  going_.insert(where->shown());
  touched_[where->root].emplace(parent_of(where->path));
  deletes_.emplace_back(std::move(*where), gone.how);
  return {};
}

// What is put in the place of something replaces it: no reader sees a moment without either.
void Batch::remove_all() {
  if (deletes_.empty()) return;
  std::set<std::string> put, wanted;
  for (const auto& it : puts_) put.insert(it.spot.shown());
  for (const auto& [spot, mode] : directories_) wanted.insert(spot.shown());
  const auto any_below = [](const auto& paths, const std::string& directory) {
    const auto next = paths.lower_bound(directory + '/');
    return next != paths.end() && next->starts_with(directory + '/');
  };
  for (const auto& [spot, how] : deletes_) {
    const auto path = spot.shown();
    if (put.contains(path)) continue;
    const bool stays = wanted.contains(path) || any_below(wanted, path) || any_below(put, path);
    switch_.remove(spot, how, stays);
  }
}

Try<> Batch::switch_all() {
  remove_all();
  for (const auto& [spot, mode] : directories_) {
    if (auto done = switch_.make_directory(spot, mode); !done) return done;
  }
  for (const auto& put : puts_) {
    if (auto done = switch_one(put); !done) return done;
  }
  return {};
}

Try<> Batch::switch_one(const Put& put) {
  if (put.retouch) return switch_.retouch(put.spot, put.file.mode);
  if (put.same) {
    const auto directory = put.spot.root->open(parent_of(put.spot.path));
    struct stat there;
    if (directory &&
        fstatat((*directory)->get(), std::string(name_of(put.spot.path)).c_str(), &there,
                AT_SYMLINK_NOFOLLOW) == 0 &&
        unchanged(*put.same, there) && (!put.is_file || switch_.retouch(put.spot, put.file.mode))) {
      switch_.drop(put.spot, put.staged);
      return {};
    }
  }
  return switch_.put(put.spot, put.staged, put.is_file ? &put.file : nullptr, put.time);
}

Try<> Batch::commit() {
  if (open_file_ || !passing_.empty())
    return failed(
        nonsense("the content of " + (open_file_ ? open_spot_.shown() : passing_) + " is not complete"));
  if (obstacles_.any()) return failed(obstacles_.failure());
  roots_.forget();
  auto done = switch_all();
  if (done) {
    switch_.finish();
    committed_ = true;
    return done;
  }
  auto failure = std::move(done.error());
  if (const auto lost = switch_.roll_back(); !lost.empty())
    failure.reason += "; of what was switched before, " + std::to_string(lost.size()) +
                      " could not be put back, the first is " + lost[0];
  return failed(std::move(failure));
}

void Batch::clean(std::set<std::string>& cleaned) {
  if (committed_) switch_.clean();
  for (const auto& [root, directories] : touched_) {
    for (const auto& directory : directories) {
      if (!cleaned.insert(root->absolute(directory)).second) continue;
      if (const auto fd = root->open(directory)) clean_directory((*fd)->get());
    }
  }
}

}  // namespace live_update::agent
