#include "operator/exec/run_limits.h"

#include <algorithm>

namespace live_update {
namespace {

constexpr std::size_t kWithEach = 256;  // the frame, and the small variables

std::string kib(std::size_t bytes) { return std::to_string(bytes / 1024) + " KiB"; }

bool has_nul(const std::string& text) { return text.contains('\0'); }

std::string trouble_of(const DeliveryRun& run, std::size_t limit) {
  if (run.command.empty() || run.command[0].empty())
    return "its command has no program: its first word is empty";
  if (std::ranges::any_of(run.command, has_nul) || has_nul(run.working_dir))
    return "its command or working directory has a NUL in it, which no program can be given; take it out";
  if (command_bytes(run) > limit) return "its command is longer than " + kib(limit) + "; put it into a file";
  if (std::ranges::any_of(run.command, [](const auto& word) { return word.size() > kLongestWord; }))
    return "a word of its command is longer than 128 KiB, and Linux takes none; put it into a file";
  return "";
}

}  // namespace

std::size_t command_bytes(const DeliveryRun& run) {
  std::size_t size = run.working_dir.size() + kWithEach;
  for (const auto& word : run.command) size += word.size() + 4;
  return size;
}

std::size_t command_bytes(const Delivery& delivery) {
  std::size_t size = 0;
  for (const auto* runs : {&delivery.before_sync, &delivery.after_sync})
    for (const auto& run : *runs) size += command_bytes(run);
  return size;
}

std::optional<std::string> run_trouble(const Delivery& delivery, const RunLimits& limits) {
  for (const auto* runs : {&delivery.before_sync, &delivery.after_sync})
    for (const auto& run : *runs)
      if (const auto trouble = trouble_of(run, limits.run); !trouble.empty())
        return "spec.steps[" + std::to_string(run.step) + "].run: " + trouble;
  if (command_bytes(delivery) > limits.all)
    return "spec.steps: the commands of its runs are longer than " + kib(limits.all) +
           " together; put them into files";
  return std::nullopt;
}

}  // namespace live_update
