// Help texts in kubectl's shape, out of what CLI11 knows of the options.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace live_update {

// The group of commands that need no cluster: their help leaves out its options.
inline constexpr const char* kOffline = "Offline";

class HelpFormatter : public CLI::FormatterBase {
 public:
  std::string make_help(const CLI::App* app, std::string name, CLI::AppFormatMode mode) const override;
};

}  // namespace live_update
