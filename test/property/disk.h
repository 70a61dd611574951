// A developer's disk in memory, and what is done to it: the model by which trees, histories, plans and the outbox are
// judged. It knows paths, parents and what is below, and nothing of the code that it judges.
//
// Few names, so that edits meet: siblings that sort between a folder and what is below it, and a credential.
#pragma once

#include <map>
#include <ostream>
#include <string>
#include <vector>

#include "core/desired/tree.h"
#include "test/property/draw.h"

namespace live_update::property {

// A file's bytes are one of these; 0 is the empty file, the last is long and cannot be packed.
inline constexpr int kTexts = 5;
const std::shared_ptr<const std::string>& bytes_of(int text);
const std::string& digest_of_text(int text);

struct Node {
  FileType type = FileType::File;
  int text = 0;            // of a file; of a link, what it leads to
  std::uint32_t mode = 0;  // of a file
  bool operator==(const Node&) const = default;
};

// What is where. Parents are there as folders.
using Nodes = std::map<std::string, Node, std::less<>>;

// As `mkdir -p`, `rm -r` and a replacement by rename do it. Absolute paths will do.
void put(Nodes& nodes, const std::string& path, const Node& node);
void erase_below(Nodes& nodes, const std::string& path);
void erase(Nodes& nodes, const std::string& path);
bool has_below(const Nodes& nodes, const std::string& path);

std::string draw_path(Dice& dice);

// Chmod, Remove and Move mean the first path that is there at or behind `path` ("rm -r >= a"): most of them hit.
struct Edit {
  enum Kind { Save, Link, Folder, Chmod, Remove, Move } kind = Save;
  std::string path;
  int value = 1;   // the text; the mode, if it is odd 0755
  std::string to;  // Move

  static Edit draw(Dice& dice, int size);
  std::vector<Edit> simpler() const;
};
void showValue(const Edit& edit, std::ostream& out);
using Edits = List<Edit, 14>;
using FewEdits = List<Edit, 4>;

class Disk {
 public:
  void edit(const Edit& edit);
  template <int Most>
  void edit(const List<Edit, Most>& edits) {
    for (const Edit& it : edits) edit(it);
  }
  const Nodes& nodes() const { return nodes_; }
  // As the watcher sees it: every folder, file and link has an entry.
  Tree tree() const;

 private:
  void move(const std::string& from, const std::string& to);

  Nodes nodes_;
};
template <int Most>
Disk disk_after(const List<Edit, Most>& edits) {
  Disk disk;
  disk.edit(edits);
  return disk;
}

Entry entry_of(const Node& node);
Node node_of(const Entry& entry);
// What is there by a tree. A folder that only what is below it implies is there, too.
Nodes seen(const Tree& tree);
// Files and links.
Nodes without_folders(Nodes nodes);
// A batch of changes, one at a time, as a naive machine would apply it: what goes, then what comes.
void apply_all(Nodes& nodes, const std::vector<Change>& changes);

// Without the bytes of what had them before, as a watcher sends it.
std::vector<Change> sent(const Tree& before, const Tree& now);

std::string text_of(const Change& change);
std::string text_of(const std::vector<Change>& changes);
std::string text_of(const Nodes& nodes);

}  // namespace live_update::property

namespace live_update {
void showValue(const Change& change, std::ostream& out);
void showValue(const Tree& tree, std::ostream& out);
namespace property {
void showValue(const Node& node, std::ostream& out);
}
}  // namespace live_update
