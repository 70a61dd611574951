#include "test/sim/driver/hashed.h"

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <map>
#include <vector>

#include "core/api/codec.h"
#include "test/sim/faults/faults.h"
#include "test/sim/oracle/naive_rules.h"
#include "test/sim/world/world.h"

namespace live_update::sim {
namespace {

constexpr Micros kBetween{40'000}, kRest{10'000'000};
constexpr std::size_t kMostObjects = 200;
constexpr int kCompaction = 200;  // the API server forgets what was before, as it does all the time

std::set<std::string> all_faults() {
  std::set<std::string> names;
  for (const Fault& it : faults()) names.emplace(it.name);
  return names;
}

std::string first_synced(const LiveUpdateSpec& spec) {
  for (const Step& step : spec.steps)
    if (const auto* sync = std::get_if<Sync>(&step)) return sync->from;
  return {};
}

bool is_synced(const LiveUpdateSpec& spec, const std::string& remote) {
  return std::ranges::any_of(spec.steps, [&](const Step& step) {
    const auto* sync = std::get_if<Sync>(&step);
    return sync && at_or_below_naive(remote, sync->to);
  });
}

struct Kept {
  std::size_t objects = 0, changes = 0;
  void at_least(const Kept& other) {
    objects = std::max(objects, other.objects);
    changes = std::max(changes, other.changes);
  }
};

// Without what not all containers have confirmed.
Kept kept(const World& world) {
  const auto live_update = parse_json(world.api.text(kLiveUpdates + "web"));
  const auto decoded = decode_live_update(*live_update);
  std::int64_t confirmed = 0;
  if (decoded) confirmed = decoded->status.sequence;
  for (const ContainerStatus& it : decoded->status.containers)
    confirmed = std::min(confirmed, it.applied_sequence);
  Kept all;
  for (const auto& object : world.api.objects.list(*parse_resource_path(kChangeSets), {})) {
    const auto it = decode_change_set(*object);
    if (!it || it->spec.sequence > confirmed) continue;
    ++all.objects;
    all.changes += it->spec.changes.size();
  }
  return all;
}

std::map<std::string, std::string> files(const Nodes& tree) {
  std::map<std::string, std::string> all;
  for (const auto& [path, node] : tree)
    if (node.type == FileType::File) all[path] = node.content;
  return all;
}

// Each container has what the machine has, and nothing else.
std::string differs(const World& world) {
  std::map<std::string, std::string> wanted;
  for (const auto& [path, node] : seen_by_syncs(world.host.nodes(), world.spec))
    if (const auto remote = remote_path(world.spec, path); remote && node.type == FileType::File)
      wanted[*remote] = node.content;
  for (const ModelContainer* it : world.cluster.running()) {
    const auto there = files(it->tree);
    for (const auto& [path, content] : wanted)
      if (!there.contains(path) || there.at(path) != content) return it->id + " lacks " + path;
    for (const auto& [path, content] : there)
      if (!wanted.contains(path) && is_synced(world.spec, path)) return it->id + " still has " + path;
  }
  return {};
}

// That the processor has worked.
double seconds() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

}  // namespace

std::string save_hashed(std::uint64_t seed, int saves) {
  World world(seed, false, all_faults());
  world.limits = {};
  world.oracle.look_away();
  world.begin();
  world.run_for(kRest);
  const std::string folder = first_synced(world.spec);
  std::vector<Kept> tenths(10);
  std::vector<double> took(10);
  for (int i = 0; i < saves; ++i) {
    const auto tenth = static_cast<std::size_t>(i) * 10 / static_cast<std::size_t>(saves);
    const double began = seconds();
    if (i > 0) world.host.remove(folder + "/main." + std::to_string(i - 1) + ".js");
    world.host.write(folder + "/main." + std::to_string(i) + ".js", "v" + std::to_string(i));
    world.run_for(kBetween);
    took[tenth] += seconds() - began;
    if (i % 10 == 0) tenths[tenth].at_least(kept(world));
    if (i % kCompaction == 0) world.api.objects.compact();
  }
  for (std::size_t i = 0; i < tenths.size(); ++i)
    std::printf("tenth %zu: at most %zu ChangeSets with %zu changes, %.1f ms a save\n", i + 1,
                tenths[i].objects, tenths[i].changes, took[i] * 10'000 / saves);
  world.run_for(kRest);
  world.cluster.scale(world.cluster.replicas() + 1);
  world.run_for(kRest);
  if (std::string wrong = differs(world); !wrong.empty()) return wrong;
  Kept first, second;  // half
  for (std::size_t i = 0; i < tenths.size(); ++i) (i < 5 ? first : second).at_least(tenths[i]);
  if (const std::size_t most = std::max(first.objects, second.objects); most > kMostObjects)
    return "there were " + std::to_string(most) + " ChangeSets";
  if (second.changes * 100 > first.changes * 105)
    return "what they say grows: " + std::to_string(second.changes) + " changes, after " +
           std::to_string(first.changes);
  return {};
}

}  // namespace live_update::sim
