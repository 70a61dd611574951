// What a container is to the simulation: files that came from its image and since then, what ran in it, and the
// agent that serves it.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "core/api/kinds.h"

namespace live_update::sim {

struct Node {
  FileType type = FileType::File;
  std::uint32_t mode = 0644;
  std::string content;  // of a file
  std::string target;   // of a symlink
  bool operator==(const Node&) const = default;
};
// By absolute path; folders are named, too.
using Nodes = std::map<std::string, Node>;

class ModelAgent;

// As traces and RunRecord have it.
inline std::string command_line(const std::vector<std::string>& words) {
  std::string line;
  for (const std::string& word : words) line += (line.empty() ? "" : " ") + word;
  return line;
}

struct ModelContainer {
  struct RunRecord {
    std::string command, live_update;  // and its UID
    std::int64_t at_us = 0;
    int exit_code = 0;
  };

  std::string pod, id;
  Nodes tree;
  int batches = 0;                             // that it took
  std::vector<RunRecord> runs;                 // that have ended by themselves
  std::vector<std::string> roots;              // that batches named
  std::set<std::string> kept;                  // that it made itself, and nobody may delete
  int failing_runs = 0;                        // in a thousand
  int hanging_runs = 0;                        // likewise: they do not end by themselves
  bool full = false;                           // no space left
  std::map<std::string, std::int64_t> record;  // the newest sequence of each LiveUpdate, by UID
  std::shared_ptr<ModelAgent> agent;

  void put(const std::string& path, Node node) {
    for (auto slash = path.find('/', 1); slash != std::string::npos; slash = path.find('/', slash + 1)) {
      Node& up = tree[path.substr(0, slash)];
      if (up.type != FileType::Directory) up = {FileType::Directory, 0755, {}, {}};
    }
    if (node.type != FileType::Directory) erase_below(path);
    tree[path] = std::move(node);
  }
  bool has_below(const std::string& path) const {
    const auto next = tree.lower_bound(path + '/');
    return next != tree.end() && next->first.starts_with(path + '/');
  }
  void erase_below(const std::string& path) {
    tree.erase(tree.lower_bound(path + '/'), tree.lower_bound(path + '0'));
  }
};

}  // namespace live_update::sim
