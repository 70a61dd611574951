#include "watcher/file_system.h"

#include <doctest/doctest.h>

#include <cerrno>

#include "test/fakes/temp_tree.h"

using namespace live_update;

TEST_CASE("7.6 only that a name, or a folder on its way, is not there says that it is gone") {
  for (int error : {ENOENT, ENOTDIR}) CHECK(says_absent(error));
  for (int error : {0, EACCES, EIO, ELOOP, ENAMETOOLONG, ESTALE, ENOMEM}) CHECK_FALSE(says_absent(error));
}

TEST_CASE("7.6 behind links in a circle things are unknown, not missing") {
  TempTree disk;
  disk.link("loop", "loop");
  const PosixFileSystem files(disk.root());
  CHECK(files.look("loop") == FileKind::Symlink);
  CHECK(files.follow("loop") == FileKind::Unknown);
  CHECK(files.look("loop/x") == FileKind::Unknown);
  CHECK(files.look("gone") == FileKind::Missing);
  CHECK(files.read("loop").error().kind == ErrorKind::Io);
}
