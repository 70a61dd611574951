// The moment in which a staged batch becomes visible (rule 4.2), and the way back.
//
// Each file: one exchange of names, so that no reader ever sees it missing or in part; the old content is
// then at the temporary name and goes later. What is deleted is renamed away first. Every step notes how to
// undo it: if one fails, the caller rolls back, and all is as before. Where the file system has no exchange,
// a second name keeps the old content while the new one is renamed over it.
//
// Programs in the container watch these directories. Of an exchange of `a` with `.tmp.swp` inotify says, in
// this order: MOVED_FROM a, MOVED_TO .tmp.swp, MOVED_FROM .tmp.swp, MOVED_TO a. In the other direction `a`
// would come first and its MOVED_FROM last, which they take for a deletion. Whatever is done here, forwards
// or back, the last that is said of a name that exists is that something came there.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "agent/files/obstacles.h"
#include "agent/files/staged.h"
#include "agent/files/sync_root.h"

namespace live_update::agent {

// A path below a root; never empty.
struct Spot {
  SyncRoot* root = nullptr;
  std::string path;
  std::string shown() const { return root->absolute(path); }
};

class Switch {
 public:
  // Whether a symlink at this absolute path is replaced by the batch, so that something may come to be below
  // it.
  using Replaces = std::function<bool(const std::string&)>;
  explicit Switch(Replaces replaces) : replaces_(std::move(replaces)) {}

  // Whatever is there; a directory with finish, if it is empty then, and never if it `stays`. What cannot be
  // deleted stays, and finish warns of it.
  void remove(const Spot& spot, DeleteHow how, bool stays);
  Try<> make_directory(const Spot& spot, std::uint16_t mode);
  // It gets the time of this moment, or `time` (rule 4.4). `file`: null for what is none.
  Try<> put(const Spot& spot, const StagedAt& staged, const File* file,
            const std::optional<Mtime>& time = {});
  // Only the mode; the file and its time stay.
  Try<> retouch(const Spot& spot, std::uint16_t mode);
  // What was staged is not needed, as what is there is the same.
  void drop(const Spot& spot, const StagedAt& staged);

  // Undoes all, in reverse. What could not be put back; empty: nothing.
  std::vector<std::string> roll_back();
  // After the last step: deleted files and directories go, directories get their modes.
  void finish();
  // Removes the old content of what was replaced. Nobody has to wait for it.
  void clean();

  std::uint32_t changed() const { return changed_; }
  std::vector<Warning>& warnings() { return warnings_; }

 private:
  enum class How { ExchangeBack, RenameBack, Remove, RemoveDirectory, WriteBack, Retouch, Nothing };
  struct Undo {
    How how = How::Nothing;
    Spot spot;
    StagedAt other;  // the name to exchange with or to rename back from; the old bytes
    std::uint16_t mode = 0;
    Mtime mtime;
  };
  // Something at a temporary name that is not needed any more.
  struct Leftover {
    SyncRoot* root = nullptr;
    std::string directory, name;
  };

  Try<SharedFd> parent(const Spot& spot);
  Try<SharedFd> ensure(SyncRoot& root, std::string_view directory);
  Try<> ensure_one(int parent, const Spot& spot);
  void move_away(int directory, const Spot& spot);
  void keep(const Spot& spot, int error);
  void remove_directories();
  Try<> put_new(int from, int to, const Spot& spot, const StagedAt& staged);
  Try<> put_over(int from, int to, const Spot& spot, const StagedAt& staged);
  Try<> put_in_place(int source, int directory, const Spot& spot, const File* file);
  int undo(const Undo& step);
  void remove(const std::vector<Leftover>& all);
  void warn(const Spot& spot, std::string text) { warnings_.push_back({0, spot.shown(), std::move(text)}); }

  Replaces replaces_;
  std::vector<Undo> undo_;
  std::vector<Leftover> deleted_, old_;
  std::vector<std::pair<Spot, DeleteHow>> directories_;
  Obstacles kept_;  // what could not be deleted
  std::vector<std::pair<Spot, std::uint16_t>> modes_;
  std::vector<Warning> warnings_;
  std::uint32_t changed_ = 0;
};

}  // namespace live_update::agent
