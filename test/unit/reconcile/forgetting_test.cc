// What may still have a path that is gone: containers that went, images, and what no operator can know (rule 7.5).
#include "core/reconcile/forgetting.h"

#include <doctest/doctest.h>

#include "core/reconcile/reconcile.h"
#include "test/fakes/change_sets.h"

using namespace live_update;

namespace {

struct Given {
  LiveUpdate lu;
  History history;
  std::vector<std::shared_ptr<const ChangeSet>> sets;
  TargetSearch search;
  Lanes lanes;
  Forgetting forgetting;

  Given() {
    lu.spec.steps = {Sync{"src", "/app"}};
    look();
    container("c1");
    look();
  }
  Target& container(const std::string& id, const std::string& pod = "p1") {
    Target it{.pod = pod, .pod_uid = pod + "-uid", .container = "app", .container_id = id, .running = true};
    it.image = "sha256:1";
    search.targets.push_back(it);
    return search.targets.back();
  }
  void gone(const std::string& id) {
    std::erase_if(search.targets, [&](const Target& it) { return it.container_id == id; });
  }
  // Up to this sequence there are ChangeSets.
  void post_up_to(std::int64_t newest) {
    while (history.newest() < newest) {
      sets.push_back(delta(history.newest() + 1).saved("f" + std::to_string(history.newest())));
      history.update(sets, history.newest());
    }
    look();
  }
  std::string mark() const { return check_spec(lu).mark; }
  void confirm_all(const std::string& id, std::int64_t sequence) { confirm(lanes[id], sequence, mark(), {}); }
  void look() {
    forgetting.look(lu, check_spec(lu), history, search, lanes);
    std::erase_if(lanes, [&](const auto& lane) {
      return std::ranges::none_of(search.targets,
                                  [&](const Target& it) { return it.container_id == lane.first; });
    });
  }
  // The status is written, and another operator takes over.
  void write_status(std::int64_t sequence) {
    lu.status.sequence = sequence;
    lu.status.forgetting = forgetting.status();
    lu.status.containers.clear();
    for (const auto& [id, lane] : lanes) {
      ContainerStatus it{.pod = "p1", .container = "app", .container_id = id};
      it.applied_sequence = lane.applied;
      it.rules = lane.rules;
      lu.status.containers.push_back(it);
    }
    lu.status.targets = static_cast<std::int64_t>(lu.status.containers.size());
  }
  void restart() {
    forgetting = Forgetting(lu.status);
    lanes = lanes_from(lu.status);
    look();
  }
  bool may(std::int64_t begun, std::int64_t deleted) const { return forgetting.may_forget()(begun, deleted); }
};

}  // namespace

TEST_CASE("7.5 while all containers are there, and have confirmed it, nothing has what is gone") {
  Given g;
  g.post_up_to(5);
  g.confirm_all("c1", 5);
  g.look();
  CHECK(g.may(1, 2));
  CHECK(g.may(5, kNever));
  g.lu.spec.source.deletes = DeletePolicy::Never;
  g.look();
  CHECK(!g.may(1, 2));
}

TEST_CASE("7.5 a container that went may come back with what it had not been told to delete") {
  Given g;
  g.post_up_to(5);
  g.confirm_all("c1", 3);
  g.gone("c1");
  g.post_up_to(6);
  CHECK(g.may(1, 3));   // it had deleted that
  CHECK(!g.may(1, 4));  // not that
  CHECK(!g.may(5, 6));  // it may have got it
  CHECK(g.may(7, 8));   // it cannot have
}

TEST_CASE("7.5 nothing comes back of a container without volumes when there is another one in its place") {
  for (const bool volumes : {false, true})
    for (const bool in_place : {false, true}) {
      Given g;
      g.search.targets.front().has_volumes = volumes;
      g.post_up_to(5);
      g.confirm_all("c1", 5);
      g.gone("c1");
      g.container("c2", in_place ? "p1" : "p2");
      g.look();
      CHECK(g.may(5, 6) == (!volumes && in_place));
      g.container("c1").has_volumes = volumes;  // it was no target for a while, as a rollout went back
      g.look();
      CHECK(g.may(5, 6) == (!volumes && in_place));
    }
}

TEST_CASE("7.5 a container that came late got nothing of what was gone by then") {
  Given g;
  g.post_up_to(5);
  g.confirm_all("c1", 5);
  g.container("c2", "p2").has_volumes = true;
  g.look();
  g.lanes["c2"];
  g.post_up_to(7);
  g.gone("c2");
  g.look();
  CHECK(g.may(1, 5));
  CHECK(!g.may(1, 6));
}

TEST_CASE("7.5 another image may have been made of anything before it") {
  Given g;
  g.post_up_to(5);
  g.confirm_all("c1", 5);
  g.look();
  g.search.targets.front().image = "sha256:2";
  g.look();
  CHECK(!g.may(1, 2));
  CHECK(!g.may(5, 6));
  CHECK(g.may(6, 7));
  g.post_up_to(6);
  g.search.targets.front().image = "sha256:1";  // and one that was there before has nothing of later
  g.look();
  CHECK(g.may(6, 7));
}

TEST_CASE("7.5 by other rules a delete may have led nowhere") {
  Given g;
  g.post_up_to(5);
  g.confirm_all("c1", 5);
  g.lu.spec.steps = {Sync{"src", "/srv"}};
  g.look();
  CHECK(!g.may(1, 2));
  CHECK(g.may(6, 7));
}

TEST_CASE("7.5 the next operator knows who was there, and what came and went before its first look") {
  Given g;
  g.post_up_to(5);
  g.confirm_all("c1", 4);
  g.write_status(5);
  g.gone("c1");
  g.post_up_to(6);
  g.gone("c1");
  g.restart();
  CHECK(g.may(1, 4));
  CHECK(!g.may(1, 5));
  CHECK(!g.may(6, 7));
  CHECK(g.may(7, 8));
}

TEST_CASE("7.5 what the status does not tell may be anywhere") {
  for (const bool wiped : {true, false}) {
    Given g;
    g.post_up_to(5);
    g.confirm_all("c1", 5);
    g.write_status(5);
    wiped ? g.lu.status.forgetting.reset() : void(g.lu.status.targets = 2);
    g.restart();
    CHECK(!g.may(1, 2));
    CHECK(!g.may(5, 6));
    CHECK(g.may(6, 7));
  }
}

TEST_CASE("7.5 what another operator has noted counts, and is noted in few words") {
  Given g;
  g.post_up_to(300);
  g.confirm_all("c1", 300);
  g.lu.status.forgetting = ForgettingStatus{g.mark(), {id_digest("sha256:9")}, {{200, 210}}};
  g.look();
  CHECK(!g.may(205, 206));
  CHECK(g.may(211, 212));
  g.search.targets.front().image = "sha256:9";  // it knows that one
  g.look();
  CHECK(g.may(211, 212));
  for (int i = 0; i < 50; ++i) {
    g.container("d" + std::to_string(i), "q").has_volumes = true;
    g.look();
    g.confirm_all("d" + std::to_string(i), 300 + i);
    g.gone("d" + std::to_string(i));
    g.post_up_to(301 + i);
  }
  CHECK(g.forgetting.status().departed.size() <= 20);
  CHECK(!g.may(205, 206));
  CHECK(!g.may(330, 332));
}
