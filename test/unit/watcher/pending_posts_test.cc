#include "watcher/pending_posts.h"

#include <doctest/doctest.h>

using namespace live_update;

namespace {

const std::string kUsed = "sequence 5 is already used by another ChangeSet";

std::vector<ChangeSetSpec> parts(std::int64_t first, int count, ChangeSetType type = ChangeSetType::Delta) {
  std::vector<ChangeSetSpec> all;
  for (int i = 0; i < count; ++i)
    all.push_back({.live_update = "web",
                   .session = "b",
                   .sequence = first + i,
                   .type = type,
                   .part = i + 1,
                   .parts = count,
                   .changes = {{.path = "f" + std::to_string(i), .digest = "1"}}});
  return all;
}

ChangeSet told(std::int64_t sequence, const std::string& phase, const std::string& message = "") {
  ChangeSet change_set;
  change_set.meta.name = change_set_name("web", "b", sequence);
  change_set.spec.session = "b";
  change_set.spec.sequence = sequence;
  change_set.status = {.phase = phase, .message = message};
  return change_set;
}

}  // namespace

TEST_CASE("7.3 a batch is open until the operator says something of it") {
  PendingPosts posts("b");
  CHECK_FALSE(posts.stored(parts(5, 1)));
  CHECK_FALSE(posts.status(told(5, "")));
  CHECK(posts.open().size() == 1);
  CHECK_FALSE(posts.status(told(5, "Waiting")));
  CHECK(posts.open().empty());
  CHECK_FALSE(posts.status(told(5, "Refused", kUsed)));
  CHECK_FALSE(posts.removed(told(5, "Waiting")));
}

TEST_CASE("7.3 a batch whose sequence another session has used is displaced, once, whichever part is told") {
  PendingPosts posts("b");
  CHECK_FALSE(posts.stored(parts(5, 3)));
  const auto displaced = posts.status(told(5, "Refused", kUsed));
  REQUIRE(displaced);
  CHECK(displaced->why == LostPost::Displaced);
  CHECK(displaced->post.names.size() == 3);
  CHECK(displaced->post.changes.size() == 3);
  CHECK(displaced->post.changes[0].digest.empty());
  CHECK_FALSE(posts.status(told(6, "Refused", kUsed)));
  CHECK_FALSE(posts.status(told(7, "Superseded", "only a part of its batch was posted")));
  CHECK(posts.displaced_in_a_row() == 1);
  CHECK_FALSE(posts.stored(parts(8, 1)));
  CHECK_FALSE(posts.status(told(8, "Applied")));
  CHECK(posts.displaced_in_a_row() == 0);
}

TEST_CASE("7.3 the refusal may come before the answer to the post") {
  PendingPosts posts("b");
  CHECK_FALSE(posts.status(told(5, "Refused", kUsed)));
  CHECK(posts.stored(parts(5, 1)));
  CHECK(posts.open().empty());
}

TEST_CASE("7.3 refused for another reason: lost as well, and told apart") {
  PendingPosts posts("b");
  CHECK_FALSE(posts.stored(parts(5, 1)));
  const auto refused = posts.status(told(5, "Refused", "\"../x\": is not a clean path"));
  REQUIRE(refused);
  CHECK(refused->why == LostPost::Refused);
  CHECK_FALSE(posts.stored(parts(6, 1, ChangeSetType::Snapshot)));
  CHECK(posts.status(told(6, "Refused", "has more than 4096 changes"))->post.snapshot);
  CHECK(posts.refused_in_a_row() == 2);
  CHECK(posts.displaced_in_a_row() == 0);
  CHECK_FALSE(posts.stored(parts(40'000, 1)));
  const auto far = posts.status(
      told(40'000, "Refused", "sequence 40000 is too far ahead: the newest is 3, so post with 4"));
  REQUIRE(far);
  CHECK(far->why == LostPost::TooFarAhead);
  CHECK(posts.open().empty());
}

TEST_CASE("7.3 what finds no room is not refused for its content") {
  for (const char* why :
       {"more than 32 MiB wait for sequence 5, which is missing", "there is no LiveUpdate web"}) {
    PendingPosts posts("b");
    CHECK_FALSE(posts.stored(parts(8, 1)));
    const auto lost = posts.status(told(8, "Refused", why));
    REQUIRE(lost);
    CHECK(lost->why == LostPost::NoRoom);
    CHECK(posts.displaced_in_a_row() == 0);
    CHECK(posts.refused_in_a_row() == 0);
  }
}

TEST_CASE("7.3 replaced by a Snapshot: ours says it again, another's does not") {
  PendingPosts posts("b");
  CHECK_FALSE(posts.stored(parts(5, 1)));
  CHECK(posts.status(told(5, "Superseded", "a newer Snapshot replaces it")));
  CHECK_FALSE(posts.stored(parts(6, 1)));
  CHECK_FALSE(posts.stored(parts(7, 1, ChangeSetType::Snapshot)));
  CHECK_FALSE(posts.status(told(6, "Superseded", "a newer Snapshot replaces it")));
}

TEST_CASE("7.3 deleted before anything was said of it") {
  PendingPosts posts("b");
  CHECK_FALSE(posts.stored(parts(5, 2)));
  CHECK(posts.removed(told(6, "")));
}

TEST_CASE("7.3 deleted before the answer to its post came") {
  PendingPosts posts("b");
  CHECK_FALSE(posts.removed(told(6, "")));
  const auto lost = posts.stored(parts(5, 2, ChangeSetType::Snapshot));
  REQUIRE(lost);
  CHECK(lost->why == LostPost::Displaced);
  CHECK(posts.open().empty());
  // It was accepted before it was deleted; and one that is there again is not gone.
  CHECK_FALSE(posts.status(told(7, "Applied")));
  CHECK_FALSE(posts.removed(told(7, "Applied")));
  CHECK_FALSE(posts.stored(parts(7, 1)));
  CHECK_FALSE(posts.removed(told(8, "")));
  CHECK_FALSE(posts.status(told(8, "")));
  CHECK_FALSE(posts.stored(parts(8, 1)));
}

TEST_CASE("7.3 a new run takes up what the last one left open") {
  PendingPosts last("b");
  for (std::int64_t sequence : {5, 6, 7, 8}) CHECK_FALSE(last.stored(parts(sequence, 1)));
  PendingPosts next("b");
  const auto displaced =
      next.resume(last.open(), {told(5, "Applied"), told(6, "Refused", kUsed), told(7, "")});
  REQUIRE(displaced.size() == 2);
  CHECK(displaced[0].post.sequence == 6);
  CHECK(displaced[1].post.sequence == 8);  // not there any more, and nobody knows what became of it
  REQUIRE(next.open().size() == 1);
  CHECK(next.status(told(7, "Refused", kUsed)));
}

TEST_CASE(
    "7.3 the operator's sequences begin anew: what is said of the new ones counts, and no older Snapshot") {
  PendingPosts posts("b");
  CHECK_FALSE(posts.stored(parts(40'000, 1, ChangeSetType::Snapshot)));
  CHECK(posts.status(
      told(40'000, "Refused", "sequence 40000 is too far ahead: the newest is 3, so post with 4")));
  posts.start_over(4);
  CHECK_FALSE(posts.status(told(4, "Refused", kUsed)));
  CHECK(posts.stored(parts(4, 1)));
  CHECK_FALSE(posts.stored(parts(5, 1)));
  CHECK(posts.status(told(5, "Superseded", "a newer Snapshot replaces it")));
}

TEST_CASE("a Snapshot of digests comes again as one") {
  PendingPosts posts("b");
  CHECK_FALSE(posts.stored(parts(5, 1, ChangeSetType::Snapshot), true));
  CHECK(posts.status(told(5, "Refused", kUsed))->post.digests);
  CHECK_FALSE(posts.stored(parts(6, 1), true));
  CHECK_FALSE(posts.status(told(6, "Refused", kUsed))->post.digests);
}
