// The real agent on real directories. As root, in a mount namespace of its own: what tests mount is gone
// afterwards.
#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>
#include <sched.h>
#include <sys/mount.h>

int main(int count, char** words) {
  if (unshare(CLONE_NEWNS) == 0) mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr);
  return doctest::Context(count, words).run();
}
