#include "watcher/command_line_help.h"

#include <algorithm>

namespace live_update {
namespace {

constexpr std::size_t kColumn = 26, kWidth = 100;

// "  left     text", the text wrapped and indented.
std::string row(const std::string& left, const std::string& text) {
  std::string out = "  " + left;
  out += out.size() + 2 > kColumn ? "\n" + std::string(kColumn, ' ') : std::string(kColumn - out.size(), ' ');
  std::size_t width = kColumn;
  for (const std::string& word : CLI::detail::split(text, ' ')) {
    if (width > kColumn && width + 1 + word.size() > kWidth) {
      out += "\n" + std::string(kColumn, ' ');
      width = kColumn;
    }
    if (width > kColumn) out += ' ', ++width;
    out += word;
    width += word.size();
  }
  return out + "\n";
}

// "-f, --filename FILE", the value's name only where there is a value.
std::string names(const CLI::Option& option) {
  std::string out;
  for (const std::string& name : option.get_snames()) out += "-" + name;
  for (const std::string& name : option.get_lnames()) out += (out.empty() ? "    --" : ", --") + name;
  if (option.get_positional()) return option.get_name(true);
  return option.get_type_size() > 0 ? out + " " + option.get_type_name() : out;
}

std::string rows(const std::vector<const CLI::Option*>& options, bool positional) {
  std::string out;
  for (const CLI::Option* option : options) {
    if (option->get_positional() == positional) out += row(names(*option), option->get_description());
  }
  return out;
}

std::string section(const std::string& title, const std::string& text) {
  return text.empty() ? "" : "\n" + title + ":\n" + text;
}

std::string usage(const CLI::App& app) {
  if (!app.get_parent()) return app.get_name() + " COMMAND [options]";
  const CLI::Option* names = app.get_option_no_throw("NAME");
  return app.get_parent()->get_name() + " " + app.get_name() + (names ? " [NAME...]" : "") + " [options]";
}

// Of the groups of the program: they hold for its commands, too.
std::string groups(const CLI::App& app) {
  std::string out;
  for (const CLI::App* group : app.get_subcommands({})) {
    if (!group->get_name().empty()) continue;
    out += section(group->get_group(), rows(group->get_options(), false));
  }
  return out;
}

std::string commands(const CLI::App& app) {
  std::string out;
  for (const CLI::App* sub : app.get_subcommands({})) {
    if (!sub->get_name().empty()) out += row(sub->get_name(), sub->get_description());
  }
  return out;
}

}  // namespace

std::string HelpFormatter::make_help(const CLI::App* app, std::string, CLI::AppFormatMode) const {
  const auto options = app->get_options();
  const CLI::App& program = app->get_parent() ? *app->get_parent() : *app;
  std::string out = app->get_description() + "\n";
  out += section("Usage", "  " + usage(*app) + "\n");
  out += section("Commands", commands(*app));
  out += section("Arguments", rows(options, true));
  out += section("Options", rows(options, false));
  if (app->get_group() != kOffline) out += groups(program);
  if (!app->get_footer().empty()) out += "\n" + app->get_footer() + "\n";
  return out;
}

}  // namespace live_update
