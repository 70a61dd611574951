#include "core/answers.h"

namespace live_update {

std::string with_place(const ContainerStatus& container, const std::string& message) {
  const bool says_where = message.find(container.pod) != std::string::npos;  // a transport's messages do
  return says_where ? message
                    : "pod " + container.pod + ", container " + container.container + ": " + message;
}

Answers answers_to(const Batch& batch, const std::vector<ContainerStatus>& containers, const Lanes& lanes,
                   std::int64_t newest) {
  Answers answers;
  for (const ContainerStatus& it : containers) {
    const bool has = it.applied_sequence >= batch.last || (it.state == "Synced" && newest >= batch.last);
    if (has && it.state != "FallBack") ++answers.have;
    answers.more_to_come |= !has && (it.state == "Applying" || it.state == "Retrying");
    const bool refuses = it.state == "Failed" && !has;
    const bool run_failed = !it.failed_steps.empty() && (has || it.state == "RunFailed");
    if (!refuses && !run_failed) continue;
    const auto lane = lanes.find(it.container_id);
    if (lane == lanes.end()) continue;
    const Instant at = lane->second.failed_at;
    const bool first = !answers.since || at < *answers.since;
    if (!answers.failed || (refuses && !answers.refused) || (refuses == answers.refused && first))
      answers.failure = with_place(it, refuses ? it.message : lane->second.run_message);
    if (first) answers.since = at;
    answers.refused |= refuses;
    answers.failed = true;
  }
  return answers;
}

}  // namespace live_update
