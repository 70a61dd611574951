// What a developer does to files.
#include "test/sim/driver/specs.h"
#include "test/sim/oracle/naive_rules.h"
#include "test/sim/world/world.h"

namespace live_update::sim {
namespace {

const std::vector<std::string> kSomewhere{"a", "b", "c", "docs", "a/x", "a/y", "b/deep/er"};

std::string content(World& world) {
  std::string text = "v" + std::to_string(world.random.next() % 100'000);
  if (world.random.below(8) == 0)  // worth compressing
    for (int i = 0; i < 60; ++i) text += " and the same words again";
  return text;
}

std::string new_path(World& world) {
  return world.random.pick(kSomewhere) + "/f" + std::to_string(world.random.below(6));
}

// Not the ignore file: what it says has to hold for the whole life.
std::string some_file(World& world) {
  auto files = world.host.files_below("");
  std::erase(files, ".dockerignore");
  return files.empty() ? new_path(world) : world.random.pick(files);
}

void write(World& world, const std::string& path) {
  world.trace.add("user", "writes " + path);
  world.host.write(path, content(world));
}

void remove(World& world, const std::string& path) {
  world.trace.add("user", "removes " + path);
  world.host.remove(path);
}

void rename(World& world, const std::string& from, const std::string& to) {
  world.trace.add("user", "moves " + from + " to " + to);
  world.host.rename(from, to);
}

void link(World& world, const std::string& path, const std::string& target) {
  world.trace.add("user", "links " + path + " to " + target);
  world.host.link(path, target);
}

// Inside a tree, or the one that is a sync's `from`.
void link_something(World& world) {
  const std::vector<std::string> inside{"f1", "../b/f2", "/etc/hosts", "x"},
      folders{"a", "b", "c", "nowhere"};
  if (world.random.below(2))
    link(world, world.random.pick(kSomewhere) + "/s" + std::to_string(world.random.below(2)),
         world.random.pick(inside));
  else
    link(world, "l", world.random.pick(folders));
}

// A name that carries a hash: the one before goes.
void write_hashed(World& world) {
  for (const std::string& path : world.host.files_below("b"))
    if (path.starts_with("b/main.")) remove(world, path);
  write(world, "b/main." + std::to_string(world.random.below(100'000)) + ".js");
}

}  // namespace

void first_files(World& world) {
  for (const std::string& folder : kSomewhere)
    for (int i = 0; i < 2; ++i) write(world, folder + "/f" + std::to_string(world.random.below(6)));
  if (world.breadth.links) link(world, "l", "b");
}

void save_something(World& world) {
  Random& random = world.random;
  switch (random.below(15)) {
    case 0:
      remove(world, some_file(world));
      break;
    case 1:
      rename(world, some_file(world), new_path(world));
      break;
    case 2: {
      const std::string path = some_file(world);
      world.trace.add("user", "changes the mode of " + path);
      world.host.chmod(path, random.below(2) ? 0644 : 0755);
      break;
    }
    case 3:
      if (random.below(3) == 0) remove(world, random.pick(kSomewhere));
      break;
    case 4:
      if (random.below(3) == 0) rename(world, "a/y", "c/y");
      break;
    case 5:
      for (int n = random.between(2, 6); n > 0; --n) write(world, new_path(world));
      break;
    case 6:
      write_hashed(world);
      break;
    case 7:  // a file becomes a folder
      if (random.below(4) == 0) write(world, some_file(world) + "/inner");
      break;
    case 8:
      if (world.breadth.links) link_something(world);
      break;
    case 9:
    case 10:
      write(world, new_path(world));
      break;
    default:
      write(world, some_file(world));
  }
  world.oracle.note_host(widest_spec());
}

void save_stop_path(World& world) {
  write(world, "docs/stop");
  world.oracle.note_host(widest_spec());
}

void save_mapped(World& world) {
  for (const Step& step : world.spec.steps)
    if (const auto* sync = std::get_if<Sync>(&step)) {
      const HostNodes& disk = world.host.nodes();
      const auto link = disk.find(sync->from);
      const bool is_link = link != disk.end() && link->second.type == FileType::Symlink;
      write(world, (is_link ? link->second.content : sync->from) + "/last");
      break;
    }
  write(world, "docs/last");
  world.oracle.note_host(widest_spec());
}

}  // namespace live_update::sim
