// A ChangeSet in which every field says something: for tests of its JSON.
#pragma once

#include "core/api/codec.h"
#include "core/base/time.h"

namespace live_update {

inline ChangeSet full_change_set() {
  ChangeSet cs;
  cs.meta = {.ns = "shop-dev", .name = "web-7f3a-000042"};
  cs.spec = {.live_update = "web",
             .session = "7f3a",
             .user = "ada",
             .sequence = 42,
             .type = ChangeSetType::Snapshot,
             .observed_at = *parse_time("2026-01-01T00:00:00.123456Z"),
             .posted_at = *parse_time("2026-01-01T00:00:00.125Z"),
             .part = 2,
             .parts = 3};
  cs.spec.changes = {
      {.path = "src/a b\n\xc3\xa4.py",
       .mode = 0644,
       .mtime = *parse_time("2026-01-01T00:00:00.1Z"),
       .size = 5,
       .digest = "sha256:00",
       .encoding = Encoding::Zstd,
       .offset = 9,
       .content = std::make_shared<const std::string>("\0\xff\x01", 3)},
      {.path = "empty", .mode = 0600, .content = std::make_shared<const std::string>()},
      {.path = "src/old.py", .op = Op::Delete},
      {.path = "src/latest", .type = FileType::Symlink, .target = "v2", .is_new = true},
  };
  cs.spec.unknown = {{"src/secret"}, {"src/closed", true}};
  cs.spec.ignores = HostIgnores{"*.log\n", "one of them"};
  cs.spec.checkpoint = CheckpointOf{41, "00ff", HostIgnores{"", ""}, 7};
  cs.spec.build = BuildResult{true, 41, 0, "registry.example/web:1", "tail"};
  cs.status = {"Applied", 3, 3, {2, 3, 4, 5, 8, 9}, "fine", {{3, "web-1", 7, "added 12 packages\n"}}};
  return cs;
}

}  // namespace live_update
