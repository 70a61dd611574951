#include "kube/status_error.h"

#include <array>
#include <optional>
#include <vector>

#include "core/api/kube_status.h"
#include "core/base/text.h"

namespace live_update {
namespace {

bool has(std::string_view text, std::string_view part) { return text.find(part) != text.npos; }

std::string in_quotes(std::string_view text) { return "\"" + std::string(text) + "\""; }

// What a path of the API means.
struct Target {
  std::string group, ns, resource, name, subresource;
};

std::vector<std::string_view> segments(std::string_view path) {
  std::vector<std::string_view> parts;
  while (!path.empty()) {
    path.remove_prefix(1);
    const auto part = path.substr(0, path.find('/'));
    parts.push_back(part);
    path.remove_prefix(part.size());
  }
  return parts;
}

// /api/v1/... or /apis/GROUP/VERSION/..., then [namespaces/NS/]RESOURCE[/NAME[/SUBRESOURCE]].
std::optional<Target> parse_target(std::string_view path) {
  const auto parts = segments(path);
  const bool core = !parts.empty() && parts[0] == "api";
  std::size_t at = core ? 2 : 3;
  if (parts.size() <= at || (!core && parts[0] != "apis")) return std::nullopt;
  Target target;
  if (!core) target.group = parts[1];
  auto next = [&] { return at < parts.size() ? std::string(parts[at++]) : std::string(); };
  if (parts[at] == "namespaces" && parts.size() > at + 2) {
    ++at;
    target.ns = next();
  }
  target.resource = next();
  target.name = next();
  target.subresource = next();
  return target;
}

std::string_view verb(const Request& request, const Target& target) {
  switch (request.method) {
    case Method::Get:
      for (const auto& [name, value] : request.query)
        if (name == "watch" && value != "false") return "watch";
      return target.name.empty() ? "list" : "get";
    case Method::Post:
      return "create";
    case Method::Put:
      return "update";
    case Method::Patch:
      return "patch";
    case Method::Delete:
      return "delete";
  }
  return "access";
}

std::string object_of(const Target& target) {
  std::string text = target.resource;
  if (!target.name.empty()) text += "/" + target.name;
  if (!target.subresource.empty()) text += " (" + target.subresource + ")";
  if (!target.ns.empty()) text += " in namespace " + target.ns;
  return text;
}

// One line of what somebody else said, not too long.
std::string words(std::string_view text) {
  constexpr std::size_t kMost = 400;
  std::string out;
  for (const char c : text.substr(0, kMost)) out += c == '\n' || c == '\t' ? ' ' : c;
  while (!out.empty() && out.back() == ' ') out.pop_back();
  return visible(out) + (text.size() > kMost ? "..." : "");
}

std::string said(const std::optional<ApiStatus>& status, std::string_view body) {
  const std::string text = words(status ? status->message : body);
  return text.empty() ? "the server gave no reason" : text;
}

// `User "ada" cannot ...`: the name by which the server knows us.
std::string user_in(std::string_view message, const ServerNames& names) {
  constexpr std::string_view kBefore = "User \"";
  const auto begin = message.find(kBefore);
  if (begin == message.npos) return names.user;
  const auto rest = message.substr(begin + kBefore.size());
  return std::string(rest.substr(0, rest.find('"')));
}

// The chart's role that allows this to people; empty if none does.
std::string role_for(std::string_view verb, const Target& target) {
  const bool reads = verb == "get" || verb == "list" || verb == "watch";
  if (target.resource == "changesets" || target.resource == "blobs") return "live-update-user";
  if (target.resource == "liveupdates") return reads ? "live-update-viewer" : "live-update-author";
  if (target.resource == "events" && reads) return "live-update-viewer";
  return {};
}

std::string forbidden_remedy(std::string_view message, const ServerNames& names, std::string_view verb,
                             const Target& target) {
  if (!has(message, " cannot "))
    return {};  // an admission policy or a quota: its own message says what to do
  if (names.context == "in-cluster")
    return "; the role of this service account lacks it: install the chart again (helm upgrade), with this "
           "namespace in watchNamespaces";
  const std::string role = role_for(verb, target);
  if (role.empty()) return "; ask an administrator of the cluster for that right";
  return "; ask an administrator to bind the ClusterRole " + role + " to you" +
         (target.ns.empty() ? "" : " in namespace " + target.ns);
}

Error forbidden(const ServerNames& names, const std::string& what, std::string_view verb,
                const Target& target, const std::string& message) {
  const std::string user = user_in(message, names);
  return {ErrorKind::Forbidden, in_quotes(user) + " may not " + what + ": " + message +
                                    forbidden_remedy(message, names, verb, target)};
}

Error not_found(const std::string& what, const Target& target, const std::optional<ApiStatus>& status,
                const std::string& message) {
  if (status && status->kind == "namespaces")
    return {ErrorKind::NotFound,
            what + ": there is no namespace " + status->name + ": create it, or choose another with -n"};
  const bool ours = target.group.ends_with("liveupdate.dev");
  if (ours && (!status || status->name.empty()))
    return {ErrorKind::NotFound,
            what + ": the cluster does not know " + target.resource + "." + target.group +
                ": install the operator first (helm install live-update charts/live-update)"};
  return {ErrorKind::NotFound, what + ": " + message};
}

Error unauthorized(const ServerNames& names, const std::string& what, const std::string& message) {
  const std::string remedy =
      names.context == "in-cluster"
          ? "the token of the service account is not accepted: is this pod's token volume up to date?"
          : "the credentials of user " + in_quotes(names.user) + " (context " + names.context +
                ") are not accepted or have expired: log in to the cluster again";
  return {ErrorKind::Unauthorized, what + ": " + remedy + " (" + message + ")"};
}

bool is_too_large(std::string_view message) {
  return has(message, "too large") || has(message, "larger than max") ||
         has(message, "Too long: must have at most");
}

Error by_status(const ServerNames& names, const std::string& what, std::string_view verb,
                const Target& target, int code, std::string_view body) {
  const auto status = decode_api_status(body);
  const std::string message = said(status, body);
  const std::string full = what + ": " + message;
  if (code < 400)
    return {ErrorKind::Invalid, what + ": " + names.server +
                                    " redirects elsewhere, which is not followed: set `server` of the " +
                                    "kubeconfig's cluster entry to the API server itself"};
  switch (code) {
    case 401:
      return unauthorized(names, what, message);
    case 403:
      return forbidden(names, what, verb, target, message);
    case 404:
      return not_found(what, target, status, message);
    case 409:
      return {status && status->reason == "AlreadyExists" ? ErrorKind::AlreadyExists : ErrorKind::Conflict,
              full};
    case 410:
      return {ErrorKind::Gone, full};
    case 413:
      return {ErrorKind::TooLarge, full};
    case 400:
    case 422:
      return {is_too_large(message) ? ErrorKind::TooLarge : ErrorKind::Invalid, full};
    case 429:
      return {ErrorKind::TooManyRequests, what + ": the server asks to slow down: " + message};
    case 504:
      return {ErrorKind::Timeout, full};
    default:
      break;
  }
  if (code < 500) return {ErrorKind::Internal, full + " (HTTP " + std::to_string(code) + ")"};
  if (is_too_large(message)) return {ErrorKind::TooLarge, full};
  return {ErrorKind::Unavailable, full + " (HTTP " + std::to_string(code) + ")"};
}

std::string check_context(const ServerNames& names) {
  return names.context == "in-cluster"
             ? "is the API server up?"
             : "is the cluster running? check --context (now " + names.context + ")";
}

}  // namespace

std::string describe(const Request& request) {
  const auto target = parse_target(request.path);
  if (!target) return "access " + request.path;
  return std::string(verb(request, *target)) + " " + object_of(*target);
}

std::string describe(const ExecRequest& request) {
  const std::string program = request.command.empty() ? "nothing" : request.command.front();
  const std::string container =
      request.container.empty() ? "the only container" : "container " + request.container;
  return "exec " + program + " in " + container + " of pod " + request.ns + "/" + request.pod;
}

Error classify_status(const ServerNames& names, const Request& request, int status, std::string_view body) {
  const auto target = parse_target(request.path).value_or(Target{});
  return by_status(names, describe(request), verb(request, target), target, status, body);
}

Error classify_exec_refusal(const ServerNames& names, const ExecRequest& request, int code,
                            std::string_view body) {
  const std::string what = describe(request);
  const Target target{"", request.ns, "pods", request.pod, "exec"};
  const auto status = decode_api_status(body);
  if (code == 403 && !status)
    return {ErrorKind::Internal, what + ": the server refused the exec protocol " +
                                     std::string(kExecProtocol) + ": Kubernetes 1.30 or newer is needed (" +
                                     said(status, body) + ")"};
  if (code == 400 || code == 500 || (code == 404 && !status))
    return classify_exec_failure(said(status, body)).in(what);
  return by_status(names, what, "create", target, code, body);
}

Error classify_transport(const ServerNames& names, const std::string& what, const TransportError& error) {
  const std::string detail = error.detail.empty() ? "" : " (" + error.detail + ")";
  switch (error.what) {
    case TransportFailure::Refused:
      return {ErrorKind::Unavailable,
              what + ": no connection to " + names.server + detail + ": " + check_context(names)};
    case TransportFailure::Unresolved:
      return {ErrorKind::Unavailable, what + ": the name in " + names.server + " cannot be resolved" +
                                          detail + ": " + check_context(names)};
    case TransportFailure::Timeout:
      return {ErrorKind::Timeout, what + ": no answer from " + names.server + " in time" + detail};
    case TransportFailure::Tls:
      return {ErrorKind::Unavailable, what + ": " + names.server + ": " + error.detail};
    case TransportFailure::Cut:
      return {ErrorKind::Unavailable, what + ": the connection to " + names.server + " was cut" + detail};
    case TransportFailure::Cancelled:
      return {ErrorKind::Cancelled, what + ": cancelled"};
    case TransportFailure::TooLarge:
      return {ErrorKind::TooLarge, what + ": " + error.detail};
  }
  return {ErrorKind::Internal, what + ": " + error.detail};
}

}  // namespace live_update
