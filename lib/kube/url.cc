#include "kube/url.h"

#include <algorithm>

namespace live_update {
namespace {

bool is_alnum(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); }

bool is_port(std::string_view text) {
  return !text.empty() && text.size() <= 5 &&
         std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; }) &&
         std::stoi(std::string(text)) >= 1 && std::stoi(std::string(text)) <= 65535;
}

bool is_host(std::string_view host, bool bracketed) {
  return !host.empty() && std::ranges::all_of(host, [&](char c) {
    return is_alnum(c) || c == '.' || c == '-' || c == '_' || (bracketed && c == ':');
  });
}

auto invalid(std::string_view url, std::string_view why) {
  return fail(ErrorKind::Invalid, "the server address \"" + std::string(url) + "\" " + std::string(why));
}

// Where the host ends: after the bracket of an IPv6 address, else at the last colon or the end.
std::size_t host_end(std::string_view authority) {
  if (authority.starts_with('[')) {
    const auto bracket = authority.find(']');
    return bracket == authority.npos ? authority.npos : bracket + 1;
  }
  return std::min(authority.find(':'), authority.size());
}

}  // namespace

std::string ServerUrl::authority() const { return (ipv6() ? "[" + host + "]" : host) + ":" + port; }

Result<ServerUrl> parse_server_url(std::string_view text) {
  constexpr std::string_view kScheme = "https://";
  std::string_view rest = text;
  if (!rest.starts_with(kScheme))
    return invalid(text, "does not begin with https://, and nothing else is supported");
  rest.remove_prefix(kScheme.size());
  if (rest.find_first_of("?#@ ") != rest.npos)
    return invalid(text, "has a part that a server address cannot have");

  const std::string_view authority = rest.substr(0, rest.find('/'));
  ServerUrl url;
  url.prefix = rest.substr(authority.size());
  while (url.prefix.ends_with('/')) url.prefix.pop_back();

  const auto end = host_end(authority);
  if (end == authority.npos) return invalid(text, "has a bracket that is not closed");
  const bool bracketed = authority.starts_with('[');
  url.host = bracketed ? authority.substr(1, end - 2) : authority.substr(0, end);
  if (!is_host(url.host, bracketed)) return invalid(text, "has no host name");
  const std::string_view port = authority.substr(end);
  url.port = port.empty() ? "443" : port.substr(1);
  if (!port.empty() && (port[0] != ':' || !is_port(url.port)))
    return invalid(text, "has a port that is none");
  return url;
}

std::string percent_encode(std::string_view text) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    if (is_alnum(c) || c == '-' || c == '.' || c == '_' || c == '~') {
      out += c;
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    out += {'%', kHex[byte >> 4], kHex[byte & 15]};
  }
  return out;
}

std::string request_target(const ServerUrl& server, std::string_view path,
                           const std::vector<std::pair<std::string, std::string>>& query) {
  std::string target = server.prefix + std::string(path);
  char separator = '?';
  for (const auto& [name, value] : query) {
    target += separator + percent_encode(name) + "=" + percent_encode(value);
    separator = '&';
  }
  return target;
}

}  // namespace live_update
