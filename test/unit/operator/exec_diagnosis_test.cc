#include "operator/exec/exec_diagnosis.h"

#include <doctest/doctest.h>

using namespace live_update;

namespace {

NotDelivered refused(const std::string& words) {
  return diagnose(ContainerRef{.ns = "shop", .pod = "web-1", .container = "web"},
                  Error{ErrorKind::Forbidden, words});
}

}  // namespace

TEST_CASE("4.9 whom a role refuses is told which right is missing, whom a policy refuses is told its words") {
  const std::string begin =
      "shop/web-1, container web: the API server does not allow the operator to execute there: ";
  CHECK(refused("User \"op\" cannot create resource \"pods/exec\"").message ==
        begin +
            "User \"op\" cannot create resource \"pods/exec\"; the operator's role needs the verbs get and "
            "create on "
            "pods/exec in this namespace (the chart's ClusterRole has them: is the namespace among "
            "watchNamespaces?)");
  const NotDelivered by_policy =
      refused("denied request: live-update works only in namespaces with the label dev=yes");
  CHECK(by_policy.message ==
        begin + "denied request: live-update works only in namespaces with the label dev=yes");
  CHECK(by_policy.reason == "Forbidden");
  CHECK(by_policy.curable);
}
