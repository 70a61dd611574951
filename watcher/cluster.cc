#include "watcher/cluster.h"

#include <spdlog/fmt/fmt.h>

#include "core/api/codec.h"
#include "core/base/json.h"
#include "core/base/text.h"
#include "kube/kube_api_server.h"
#include "watcher/console.h"

namespace live_update {
namespace {

constexpr const char* kWhoAmI = R"({"apiVersion":"authentication.k8s.io/v1","kind":"SelfSubjectReview"})";

std::string say_insecure(const std::string& server) {
  return fmt::format(
      "the kubeconfig has insecure-skip-tls-verify for {}: whoever is on the way to it can read and change "
      "all "
      "that is sent; give its certificate authority instead",
      server);
}

}  // namespace

Result<Cluster> connect(Loop& loop, const KubeOptions& options) {
  auto config = load_client_config(options, KubeEnvironment::of_process());
  if (!config) return fail(config.error().kind, visible_lines(config.error().message));
  if (config->insecure) TerminalConsole().problem(say_insecure(config->server));
  auto api = make_api_server(loop, *config);
  if (!api) return std::unexpected(api.error());
  return Cluster{std::move(*config), std::move(*api)};
}

Result<Response> request_now(Loop& loop, ApiServer& api, Request request) {
  Result<Response> answer = fail(ErrorKind::Cancelled, "interrupted");
  const Handle under_way = api.request(std::move(request), [&](Result<Response> got) {
    answer = std::move(got);
    loop.stop();
  });
  loop.run();
  return answer;
}

Result<std::string> who_am_i(Loop& loop, ApiServer& api) {
  auto answer = request_now(loop, api,
                            {.method = Method::Post,
                             .path = "/apis/authentication.k8s.io/v1/selfsubjectreviews",
                             .content_type = "application/json",
                             .body = kWhoAmI});
  auto json = answer ? parse_json(answer->body) : std::unexpected(answer.error());
  if (!json) return std::unexpected(json.error());
  FieldErrors errors;
  std::string user;
  ObjectReader(&*json, {}, errors).object("status").object("userInfo").read("username", user);
  if (user.empty())
    return fail(ErrorKind::Invalid, "the API server's answer to a SelfSubjectReview has no user");
  return user;
}

Result<std::string> own_name(Loop& loop, ApiServer& api, Console& console) {
  auto name = who_am_i(loop, api);
  if (name || name.error().retryable()) return name;
  console.problem(fmt::format(
      "{}; so what is sent from here has no name, and the chart's objectPolicy, where it is on, refuses it. "
      "The ClusterRole system:basic-user has the right to ask for one's own name",
      name.error().message));
  return "";
}

std::string live_updates_path(const std::string& ns, const std::string& name) {
  return fmt::format("/apis/{}/namespaces/{}/liveupdates{}{}", kApiVersion, ns, name.empty() ? "" : "/",
                     name);
}

Result<LiveUpdate> get_live_update(Loop& loop, ApiServer& api, const ObjectKey& key) {
  auto answer = request_now(loop, api, {.path = live_updates_path(key.ns, key.name)});
  if (!answer && answer.error().kind == ErrorKind::NotFound) {
    std::string others;
    if (auto list = list_live_updates(loop, api, key.ns))
      for (const LiveUpdate& it : *list) others += (others.empty() ? "" : ", ") + it.meta.name;
    return fail(ErrorKind::NotFound,
                fmt::format("there is no LiveUpdate {} in namespace {}: {}", key.name, key.ns,
                            others.empty() ? "there is none at all; apply one, or give its file with -f"
                                           : "there are " + others));
  }
  if (!answer) return std::unexpected(answer.error());
  auto json = parse_json(answer->body);
  return json ? decode_live_update(*json) : std::unexpected(json.error());
}

Result<std::vector<LiveUpdate>> list_live_updates(Loop& loop, ApiServer& api, const std::string& ns) {
  auto answer = request_now(loop, api, {.path = live_updates_path(ns)});
  if (!answer && answer.error().kind == ErrorKind::NotFound)
    return fail(ErrorKind::NotFound,
                "this cluster does not know LiveUpdates: install the operator with its Helm chart first");
  if (!answer) return std::unexpected(answer.error());
  auto json = parse_json(answer->body);
  if (!json) return std::unexpected(json.error());
  std::vector<LiveUpdate> all;
  const auto items = json->FindMember("items");
  if (items == json->MemberEnd() || !items->value.IsArray()) return all;
  for (const auto& item : items->value.GetArray())
    if (auto live_update = decode_live_update(item)) all.push_back(std::move(*live_update));
  return all;
}

Request apply_request(const ObjectKey& key, const std::string& json) {
  return {.method = Method::Patch,
          .path = live_updates_path(key.ns, key.name),
          .query = {{"fieldManager", "live-update"}, {"force", "true"}},
          .content_type = "application/apply-patch+yaml",
          .body = json};
}

Result<> apply_live_update(Loop& loop, ApiServer& api, const ObjectKey& key, const std::string& json) {
  auto answer = request_now(loop, api, apply_request(key, json));
  if (!answer && answer.error().kind == ErrorKind::NotFound)
    return fail(ErrorKind::NotFound,
                fmt::format("{}; is there a namespace {}, and is the operator's Helm chart installed?",
                            answer.error().message, key.ns));
  if (!answer) return std::unexpected(answer.error());
  return {};
}

}  // namespace live_update
