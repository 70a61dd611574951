#include "kube/status_error.h"

#include <doctest/doctest.h>

namespace live_update {
namespace {

TEST_SUITE_BEGIN("status errors");

const ServerNames kAda{"https://10.0.0.1:6443", "dev", "ada"};
const ServerNames kPod{"https://10.96.0.1:443", "in-cluster", "service account"};
const std::string kOurs = "/apis/liveupdate.dev/v1alpha1/namespaces/shop/";

Request request_for(Method method, std::string path) { return {.method = method, .path = std::move(path)}; }

std::string forbidden(const std::string& user, const std::string& rest) {
  return R"({"status":"Failure","reason":"Forbidden","message":"x is forbidden: User \")" + user + R"(\" )" +
         rest + "\"}";
}

TEST_CASE("a request in words") {
  CHECK(describe(request_for(Method::Get, "/api/v1/namespaces/shop/pods")) == "list pods in namespace shop");
  CHECK(describe(request_for(Method::Get, "/api/v1/namespaces/shop/pods/a")) ==
        "get pods/a in namespace shop");
  CHECK(describe({.path = "/api/v1/pods", .query = {{"watch", "true"}}}) == "watch pods");
  CHECK(describe(request_for(Method::Post, kOurs + "changesets")) == "create changesets in namespace shop");
  CHECK(describe(request_for(Method::Patch, kOurs + "liveupdates/web/status")) ==
        "patch liveupdates/web (status) in namespace shop");
  CHECK(describe(request_for(Method::Delete, "/api/v1/namespaces/shop")) == "delete namespaces/shop");
  CHECK(describe(request_for(Method::Get, "/version")) == "access /version");
  CHECK(describe(request_for(Method::Get, "/apis/x")) == "access /apis/x");
  CHECK(describe(request_for(Method::Get, "")) == "access ");
}

TEST_CASE("403 says who may not do what, and which role would help") {
  const auto error = classify_status(
      kAda, request_for(Method::Post, kOurs + "changesets"), 403,
      forbidden(
          "ada",
          R"(cannot create resource \"changesets\" in API group \"liveupdate.dev\" in the namespace \"shop\")"));
  CHECK(error == Error{ErrorKind::Forbidden,
                       "\"ada\" may not create changesets in namespace shop: x is forbidden: User \"ada\" "
                       "cannot create resource "
                       "\"changesets\" in API group \"liveupdate.dev\" in the namespace \"shop\"; ask an "
                       "administrator to bind the "
                       "ClusterRole live-update-user to you in namespace shop"});
  auto role = [](Method method, const std::string& path) {
    const auto message =
        classify_status(kAda, request_for(method, path), 403, forbidden("ada", "cannot do it")).message;
    return message.substr(message.find("; ") + 2);
  };
  const std::string bind = "ask an administrator to bind the ClusterRole ";
  CHECK(role(Method::Get, kOurs + "liveupdates") == bind + "live-update-viewer to you in namespace shop");
  CHECK(role(Method::Patch, kOurs + "liveupdates/web") ==
        bind + "live-update-author to you in namespace shop");
  CHECK(role(Method::Get, kOurs + "changesets") == bind + "live-update-user to you in namespace shop");
  CHECK(role(Method::Put, "/apis/coordination.k8s.io/v1/namespaces/shop/leases/web") ==
        "ask an administrator of the cluster for that right");
  CHECK(role(Method::Get, "/apis/liveupdate.dev/v1alpha1/liveupdates") == bind + "live-update-viewer to you");
  CHECK(role(Method::Delete, "/api/v1/namespaces/shop/pods/a") ==
        "ask an administrator of the cluster for that right");
}

TEST_CASE("403 of the operator's own account points to the chart") {
  const auto error = classify_status(kPod, request_for(Method::Get, "/api/v1/pods"), 403,
                                     forbidden("system:serviceaccount:lu:operator", "cannot list resource"));
  CHECK(
      error.message.ends_with("; the role of this service account lacks it: install the chart again (helm "
                              "upgrade), with this namespace in watchNamespaces"));
}

TEST_CASE("403 of an admission policy is left as it is") {
  const auto error =
      classify_status(kAda, request_for(Method::Post, kOurs + "liveupdates"), 403,
                      R"({"status":"Failure","message":"denied request: you may not exec here"})");
  CHECK(error.message ==
        "\"ada\" may not create liveupdates in namespace shop: denied request: you may not exec here");
}

TEST_CASE("404: the object, the namespace, or the whole kind") {
  CHECK(
      classify_status(
          kAda, request_for(Method::Get, kOurs + "liveupdates/web"), 404,
          R"({"status":"Failure","message":"liveupdates.liveupdate.dev \"web\" not found","details":{"name":"web","kind":"liveupdates"}})")
          .message == "get liveupdates/web in namespace shop: liveupdates.liveupdate.dev \"web\" not found");
  CHECK(
      classify_status(
          kAda, request_for(Method::Post, kOurs + "changesets"), 404,
          R"({"status":"Failure","message":"namespaces \"shop\" not found","details":{"name":"shop","kind":"namespaces"}})")
          .message ==
      "create changesets in namespace shop: there is no namespace shop: create it, or choose another with "
      "-n");
  CHECK(classify_status(kAda, request_for(Method::Get, kOurs + "liveupdates"), 404, "404 page not found")
            .message ==
        "list liveupdates in namespace shop: the cluster does not know liveupdates.liveupdate.dev: install "
        "the operator first "
        "(helm install live-update charts/live-update)");
}

TEST_CASE("too large, in whatever way the server says it") {
  const auto post = request_for(Method::Post, kOurs + "changesets");
  CHECK(classify_status(kAda, post, 413, "").kind == ErrorKind::TooLarge);
  CHECK(
      classify_status(kAda, post, 500, R"({"status":"Failure","message":"etcdserver: request is too large"})")
          .kind == ErrorKind::TooLarge);
  CHECK(classify_status(kAda, post, 400,
                        R"({"status":"Failure","message":"trying to send message larger than max"})")
            .kind == ErrorKind::TooLarge);
}

TEST_CASE("an answer that is no Status is shown on one line, and not too long") {
  const auto error = classify_status(kAda, request_for(Method::Get, "/api/v1/pods"), 502,
                                     "<html>\n<body>" + std::string(5000, 'x'));
  CHECK(error.kind == ErrorKind::Unavailable);
  CHECK(error.message.starts_with("list pods: <html> <body>xxx"));
  CHECK(error.message.size() < 500);
  CHECK(classify_status(kAda, request_for(Method::Get, "/api/v1/pods"), 503, "").message ==
        "list pods: the server gave no reason (HTTP 503)");
  CHECK(classify_status(kAda, request_for(Method::Get, "/api/v1/pods"), 418, "").kind == ErrorKind::Internal);
}

TEST_CASE("401 says whose credentials, and what to do") {
  CHECK(classify_status(kPod, request_for(Method::Get, "/api/v1/pods"), 401, "").message ==
        "list pods: the token of the service account is not accepted: is this pod's token volume up to date? "
        "(the server gave no reason)");
}

TEST_CASE("no connection, no name, no answer, cut, TLS") {
  auto error = [](TransportFailure what, const std::string& detail) {
    return classify_transport(kAda, "list pods", {what, detail});
  };
  CHECK(
      error(TransportFailure::Unresolved, "") ==
      Error{ErrorKind::Unavailable,
            "list pods: the name in https://10.0.0.1:6443 cannot be resolved: is the cluster running? check "
            "--context (now dev)"});
  CHECK(error(TransportFailure::Timeout, "").kind == ErrorKind::Timeout);
  CHECK(error(TransportFailure::Cut, "x").message ==
        "list pods: the connection to https://10.0.0.1:6443 was cut (x)");
  CHECK(error(TransportFailure::Tls, "why").message == "list pods: https://10.0.0.1:6443: why");
  CHECK(error(TransportFailure::Cancelled, "").kind == ErrorKind::Cancelled);
  CHECK(classify_transport(kPod, "list pods", {TransportFailure::Refused, ""}).message ==
        "list pods: no connection to https://10.96.0.1:443: is the API server up?");
}

TEST_SUITE_END();

}  // namespace
}  // namespace live_update
