// The address of an API server, and targets on it. Pure.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/result.h"

namespace live_update {

// https://host:port/prefix, taken apart.
struct ServerUrl {
  std::string host;    // a name or an address; IPv6 without brackets
  std::string port;    // "443" if not given
  std::string prefix;  // "" or "/k8s/clusters/c-1": goes before each path, no slash at its end
  bool ipv6() const { return host.find(':') != host.npos; }
  std::string authority() const;  // host:port, IPv6 in brackets
  bool operator==(const ServerUrl&) const = default;
};

// Only https. Invalid: anything else, with what is wrong about it.
Result<ServerUrl> parse_server_url(std::string_view text);

// RFC 3986: everything but the unreserved characters becomes %XX, the slash too. For one path segment or one
// query value.
std::string percent_encode(std::string_view text);

// prefix + path + "?a=b&c=d"; `path` is encoded already, names and values of `query` are not.
std::string request_target(const ServerUrl& server, std::string_view path,
                           const std::vector<std::pair<std::string, std::string>>& query);

}  // namespace live_update
