#include "core/api/signals.h"

#include <map>

namespace live_update {

const std::vector<std::string_view>& allowed_signals() {
  static const std::vector<std::string_view> kAllowed = {"HUP",  "INT",  "QUIT", "ABRT", "KILL", "USR1",
                                                         "USR2", "ALRM", "TERM", "CONT", "WINCH"};
  return kAllowed;
}

int signal_number(std::string_view name) {
  static const std::map<std::string_view, int> kNumbers{
      {"HUP", 1},   {"INT", 2},   {"QUIT", 3},  {"ILL", 4},   {"TRAP", 5},   {"ABRT", 6},
      {"BUS", 7},   {"FPE", 8},   {"KILL", 9},  {"USR1", 10}, {"SEGV", 11},  {"USR2", 12},
      {"PIPE", 13}, {"ALRM", 14}, {"TERM", 15}, {"CHLD", 17}, {"CONT", 18},  {"STOP", 19},
      {"TSTP", 20}, {"TTIN", 21}, {"TTOU", 22}, {"URG", 23},  {"WINCH", 28}, {"IO", 29}};
  if (name.starts_with("SIG")) name.remove_prefix(3);
  const auto found = kNumbers.find(name);
  return found == kNumbers.end() ? 0 : found->second;
}

}  // namespace live_update
