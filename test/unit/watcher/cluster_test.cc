#include "watcher/cluster.h"

#include <doctest/doctest.h>

#include "run/uv_loop.h"
#include "test/fakes/fake_api_server.h"

using namespace live_update;

namespace {

constexpr const char* kReviews = "/apis/authentication.k8s.io/v1/selfsubjectreviews";

struct Notes : Console {
  void say(const std::string&) override {}
  void problem(const std::string& line) override { problems += line; }
  void failure(const std::string&) override {}
  std::string problems;
};

struct Fixture {
  UvLoop loop;
  FakeApiServer api{loop};
  Notes console;
};

}  // namespace

TEST_CASE_FIXTURE(Fixture,
                  "a name that the API server will not tell is no reason not to begin, and is said") {
  api.fail_next(Method::Post, kReviews, {ErrorKind::Forbidden, "\"ada\" may not create selfsubjectreviews"});
  CHECK(own_name(loop, api, console) == Result<std::string>(""));
  CHECK(
      console.problems ==
      "\"ada\" may not create selfsubjectreviews; so what is sent from here has no name, and the chart's "
      "objectPolicy, where it is on, refuses it. The ClusterRole system:basic-user has the right to ask for "
      "one's own name");
}

TEST_CASE_FIXTURE(Fixture, "an API server that is away for a moment does not make us nameless") {
  api.fail_next(Method::Post, kReviews, {ErrorKind::Unavailable, "no connection"});
  const auto name = own_name(loop, api, console);
  REQUIRE_FALSE(name);
  CHECK(name.error().message == "no connection");
  CHECK(console.problems.empty());
}

TEST_CASE_FIXTURE(Fixture, "an answer without a name is not taken for one") {
  const auto name = who_am_i(loop, api);  // the fake stores the review as it is
  REQUIRE_FALSE(name);
  CHECK(name.error().message == "the API server's answer to a SelfSubjectReview has no user");
}
