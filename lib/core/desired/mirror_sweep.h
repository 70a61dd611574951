// MirrorSweep: one container's folders looked through, for what `deletes: Mirror` deletes there (rule 4.5). Pure.
//
// Whoever can list folders of the container asks for questions, tells what was found, and lets it work, a piece at a time:
// comparing names with patterns takes as long as those who write both want it to. Only folders that may have something
// to delete are asked for: what is ignored as a whole, mounted, or another sync's is not entered. Bounded in what is
// looked at; where that is not enough, or more would go than `maxDeletes`, nothing is deleted, and it says so.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/desired/mirror.h"
#include "core/rules/path_rules.h"

namespace live_update {

enum class FoundKind : std::uint8_t {
  File,
  Directory,
  Symlink,
  Other,  // a socket, pipe or device, which no machine sends
  Mount,  // something is mounted there
};

struct MirrorFindings {
  std::vector<RemoteDelete> deletes;  // files and links, and folders that are empty then
  std::string held;  // more would go than may: nothing does. With five of them, and what to do
  std::string note;  // what stays though it might have gone, and why
};

class MirrorSweep {
 public:
  static constexpr std::size_t kMostFound = 200'000;  // files and folders looked at

  explicit MirrorSweep(std::shared_ptr<const Mirror> mirror);

  // Folders to be listed, of one root, relative to that, with their numbers. Nothing: there are none at present.
  struct Question {
    std::string root;
    std::vector<std::string> folders;
    std::vector<std::size_t> numbers;
  };
  std::optional<Question> ask(std::size_t most_bytes);

  // What a folder that was asked for holds; a name that is none makes it unlisted.
  void found(std::size_t folder, std::string name, FoundKind kind);
  // It cannot be listed, or not to its end. Absent: there is none, or no folder.
  void unlisted(std::size_t folder, bool absent = false);
  // There is no more to be told of it.
  void answered(std::size_t folder);
  // Nothing will be deleted.
  void give_up(std::string why);

  // Judges what was found, as far as the budget goes. False: some is left.
  bool work(WorkBudget& budget);
  // All was asked, answered and judged.
  bool complete() const { return to_ask_.empty() && open_ == 0 && to_judge_.empty(); }
  // Once it is complete.
  MirrorFindings findings() const;

 private:
  static constexpr std::size_t kNone = static_cast<std::size_t>(-1);
  struct Folder {
    std::string path, root;
    std::vector<MirrorRules::Origin> origins;
    std::size_t parent = kNone;
    bool goes = false;   // nobody wants it: it goes if nothing in it stays
    bool keeps = false;  // something in it stays
  };
  struct Found {
    std::size_t folder;
    std::string name;
    FoundKind kind;
  };

  void add(Folder folder);
  void keep(std::size_t folder);
  void judge(Found found);
  std::vector<MirrorRules::Origin> origins_of(const Folder& folder, const std::string& name) const;
  std::vector<RemoteDelete> going_folders() const;
  std::string say_held(std::vector<RemoteDelete> all) const;
  std::string note() const;

  const std::shared_ptr<const Mirror> mirror_;
  MirrorRules::Cursors cursors_;
  std::vector<Folder> folders_;
  std::deque<std::size_t> to_ask_;
  std::size_t open_ = 0;  // asked for and not answered
  std::deque<Found> to_judge_;
  std::size_t found_ = 0;
  std::vector<RemoteDelete> gone_;  // files and links
  std::size_t unlisted_ = 0;
  std::string first_unlisted_;
  std::string given_up_;
};

}  // namespace live_update
