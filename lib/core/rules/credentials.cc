#include "core/rules/credentials.h"

#include <algorithm>
#include <ranges>
#include <vector>

#include "core/rules/pattern.h"

namespace live_update {
namespace {

// A folder that matches one behind the last "!" need not be entered.
constexpr std::string_view kPatterns[] = {
    "**/.env.*",
    "**/*.pem",
    "**/*.key",
    // Names of well-known public use.
    "!**/.env.example",
    "!**/.env.*.example",
    "!**/.env.sample",
    "!**/.env.*.sample",
    "!**/.env.template",
    "!**/.env.*.template",
    "!**/cacert.pem",
    "!**/i18n/*.key",
    "**/.env",
    "**/.ssh",
    "**/.aws",
    "**/.kube",
    "**/.gnupg",
    "**/.docker/config.json",
    "**/.netrc",
    "**/.pypirc",
    "**/id_rsa*",
    "**/id_ed25519*",
    "**/*.p12",
    "**/*.pfx",
    "**/*.kubeconfig",
};

std::vector<Pattern> compiled() {
  std::vector<Pattern> out;
  for (std::string_view text : kPatterns) out.push_back(*Pattern::compile(text));
  return out;
}

}  // namespace

std::span<const std::string_view> credential_patterns() { return kPatterns; }

bool looks_secret(std::string_view component) {
  constexpr std::string_view kEnds[] = {".pem", ".key", ".p12", ".pfx", ".kubeconfig"};
  return component.starts_with('.') || component.starts_with("id_") ||
         std::ranges::any_of(kEnds, [&](std::string_view end) { return component.ends_with(end); });
}

bool has_secret_component(std::string_view path) {
  return std::ranges::any_of(path | std::views::split('/'), [](auto part) {
    return looks_secret(std::string_view(part.begin(), part.end()));
  });
}

bool is_credential(std::string_view path) {
  static const std::vector<Pattern> patterns = compiled();
  if (!has_secret_component(path)) return false;
  const auto last = std::ranges::find_if(patterns.rbegin(), patterns.rend(),
                                         [&](const Pattern& it) { return it.matches(path); });
  return last != patterns.rend() && !last->negated();
}

}  // namespace live_update
