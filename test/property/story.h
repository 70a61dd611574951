// What a history is made of: saves on a disk, each a batch in one or more ChangeSets; and a container that takes them
// one after the other, by which the history is judged.
#pragma once

#include <cstdint>
#include <memory>
#include <ostream>
#include <vector>

#include "core/api/kinds.h"
#include "test/property/batches.h"
#include "test/property/disk.h"

namespace live_update::property {

struct Save {
  FewEdits edits;
  ChangeSetType type = ChangeSetType::Delta;
  int parts = 1;

  static Save draw(Dice& dice, int size);
  std::vector<Save> simpler() const;
};
void showValue(const Save& save, std::ostream& out);
using Story = List<Save, 7>;
bool has_snapshot(const Story& story);

// As a container keeps what it gets: a folder that goes takes nothing with it that nobody named (rule 4.5).
void apply_tracked(Nodes& container, const std::vector<Change>& changes);

class Follower {
 public:
  explicit Follower(Nodes image) : container_(std::move(image)) {}
  void take(const ChangeSetSpec& batch);
  const Nodes& container() const { return container_; }
  // What the batches said that is there.
  const Nodes& known() const { return known_; }

 private:
  Nodes container_, known_;
};

using Sets = std::vector<std::shared_ptr<const ChangeSet>>;

struct Told {
  // After a batch.
  struct Mark {
    std::int64_t sequence;
    Nodes container, known;
  };
  Sets sets;                // by sequence, as an operator keeps them
  std::vector<Mark> marks;  // first what the image has, at 0
  Unknowns unknown;         // of all Snapshots, and credentials that these leave out
  // What somebody can be sure of: elsewhere a container keeps what it has (rules 7.6, 2.8).
  Nodes without_unknown(Nodes container) const;
  std::string text() const;
};
// Whether Snapshots leave out what cannot be read, and credentials.
enum class Unreadable { Never, Sometimes };
// A Snapshot says nothing of what only the image has: with one, that is nothing.
Told told(const Edits& image, const Story& story, Dice& dice, Unreadable unreadable = Unreadable::Never);

}  // namespace live_update::property
