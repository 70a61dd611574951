#include "core/desired/changed_paths.h"

#include <doctest/doctest.h>

using namespace live_update;

namespace {

Delivery of(const std::vector<std::string>& written, const std::vector<std::string>& deleted = {}) {
  Delivery delivery;
  for (const auto& path : written) delivery.writes.push_back({path, "/app"});
  for (const auto& path : deleted) delivery.deletes.push_back({path, path, FileType::File, "/app"});
  return delivery;
}

}  // namespace

TEST_CASE("4.6 the paths of a batch, one a line, and how many there are") {
  const auto changed = changed_paths(of({"/app/a", "/app/b c"}, {"/app/gone"}));
  CHECK(changed.list == "/app/a\n/app/b c\n/app/gone");
  CHECK(changed.count == 3);
  CHECK_FALSE(changed.cut);
  CHECK(changed_paths({}).list.empty());
  CHECK(changed_paths({}).count == 0);
}

TEST_CASE("4.6 names with control characters are counted, not listed: they would forge entries") {
  const auto changed = changed_paths(of({"/app/x\n/etc/shadow", "/app/a", "/app/\x1b[2J", "/app/\x7f",
                                         "/app/\xC2\x85", "/app/\xC3\x85", "/app/tab\t"}));
  CHECK(changed.list == "/app/a\n/app/\xC3\x85");
  CHECK(changed.count == 7);
  CHECK_FALSE(changed.cut);
}

TEST_CASE("4.6 a list that is too long has whole lines, and says that it is cut") {
  std::vector<std::string> paths;
  for (int i = 0; i < 1000; ++i) paths.push_back("/app/" + std::string(87, 'x') + std::to_string(1000 + i));
  const auto changed = changed_paths(of(paths));
  CHECK(changed.cut);
  CHECK(changed.count == 1000);
  CHECK(changed.list.size() <= 32 * 1024);
  CHECK(changed.list.size() > 32 * 1024 - 100);
  CHECK(changed.list.ends_with("x1" + changed.list.substr(changed.list.size() - 3)));
  // What fits exactly is not cut; what has only unlisted names behind it is neither.
  CHECK_FALSE(changed_paths(of({"/app/a", "/app/b"}), 13).cut);
  CHECK(changed_paths(of({"/app/a", "/app/b"}), 12).cut);
  CHECK_FALSE(changed_paths(of({"/app/a", "/app/\n"}), 6).cut);
}
