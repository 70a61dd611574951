#include "operator/delivery_log.h"

#include <set>

#include "core/base/text.h"

namespace live_update {

namespace {

constexpr std::size_t kLongestCommand = 200, kMostUsers = 5;

std::string say_command(const std::vector<std::string>& command) {
  std::string text;
  for (const std::string& word : command) text += (text.empty() ? "" : " ") + word;
  return visible(std::string_view(text).substr(0, kLongestCommand));
}

}  // namespace

LogFields whose(const ObjectKey& key, const History& history, std::int64_t after, std::int64_t sequence) {
  std::string change_set, session;
  std::set<std::string> users;
  for (const Batch& it : history.batches()) {
    if (it.last <= after || it.last > sequence) continue;
    change_set = it.meta().name;
    session = it.spec.session;
    if (!it.spec.user.empty() && users.size() < kMostUsers) users.insert(visible(it.spec.user));
  }
  std::string user;
  for (const std::string& it : users) user += (user.empty() ? "" : ", ") + it;
  return {{"liveUpdate", to_string(key)},
          {"sequence", std::to_string(sequence)},
          {"changeSet", change_set},
          {"session", session},
          {"user", user}};
}

void say_delivery(Log& log, LogFields fields, const ContainerRef& to, const Delivery& delivery) {
  fields.emplace_back("pod", to.pod);
  fields.emplace_back("container", to.container);
  log.info("apply", fields);
  for (const auto* runs : {&delivery.before_sync, &delivery.after_sync})
    for (const DeliveryRun& it : *runs) {
      LogFields run = fields;
      run.emplace_back("step", std::to_string(it.step));
      run.emplace_back("command", say_command(it.command));
      log.info("run", run);
    }
}

void say_outcome(Log& log, LogFields fields, const ContainerRef& to, Millis took,
                 const DeliveryOutcome& outcome) {
  fields.emplace_back("pod", to.pod);
  fields.emplace_back("container", to.container);
  if (const auto* problem = std::get_if<NotDelivered>(&outcome)) {
    fields.emplace_back("reason", problem->reason);
    fields.emplace_back("error", problem->message);
    return log.warn("not applied", fields);
  }
  fields.emplace_back("milliseconds", std::to_string(took.count()));
  log.info("applied", fields);
}

}  // namespace live_update
