#include "core/api/workload_kinds.h"

#include <algorithm>
#include <array>
#include <utility>

#include "core/base/json.h"
#include "core/base/text.h"

namespace live_update {
namespace {

constexpr std::array<std::string_view, 10> kKinds = {
    "Deployment", "StatefulSet",           "DaemonSet", "ReplicaSet", "Job", "CronJob", "Pod",
    "Rollout",    "ReplicationController", "CloneSet"};

// What kubectl takes for a kind and no letter tells.
constexpr std::pair<std::string_view, std::string_view> kShortNames[] = {
    {"deploy", "Deployment"},       {"sts", "StatefulSet"}, {"ds", "DaemonSet"},
    {"rs", "ReplicaSet"},           {"cj", "CronJob"},      {"po", "Pod"},
    {"rc", "ReplicationController"}};

constexpr std::size_t kLongestKind = 63;

std::string_view nearest_to(std::string_view kind) {
  const auto same = [&](const auto& it) { return edit_distance(it.first, kind) == 0; };
  if (const auto it = std::ranges::find_if(kShortNames, same); it != std::end(kShortNames)) return it->second;
  return *std::ranges::min_element(kKinds, {}, [&](std::string_view it) { return edit_distance(it, kind); });
}

}  // namespace

bool is_known_workload_kind(std::string_view kind) { return std::ranges::find(kKinds, kind) != kKinds.end(); }

std::string doubt_of_kind(std::string_view kind) {
  if (kind.empty() || is_known_workload_kind(kind)) return {};
  kind = kind.substr(0, kLongestKind);
  return "no kind that is known is spelled " + visible(kind) + ", the nearest is " +
         std::string(nearest_to(kind));
}

}  // namespace live_update
