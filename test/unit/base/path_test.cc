#include "core/base/path.h"
#include "core/base/text.h"

#include <doctest/doctest.h>

using namespace live_update;

namespace {

std::string host(std::string_view path) {
  std::string out;
  for (const std::string& error : host_path_errors(path))
    out += (out.empty() ? "" : "; ") + error.substr(0, error.find(':'));
  return out;
}
std::string remote(std::string_view path) {
  std::string out;
  for (const std::string& error : remote_path_errors(path))
    out += (out.empty() ? "" : "; ") + error.substr(0, error.find(':'));
  return out;
}

}  // namespace

TEST_CASE("1.5 paths are cleaned") {
  CHECK(clean_path("src") == "src");
  CHECK(clean_path("./src") == "src");
  CHECK(clean_path("src/") == "src");
  CHECK(clean_path("././src//a/./b///") == "src/a/b");
  CHECK(clean_path(".") == ".");
  CHECK(clean_path("./") == ".");
  CHECK(clean_path("./.") == ".");
  CHECK(clean_path("...") == "...");
  CHECK(clean_path("a/.b") == "a/.b");
  CHECK(clean_path("a b/ c") == "a b/ c");
}

TEST_CASE("1.5 host paths are relative, not empty, without ..") {
  CHECK(host("src") == "");
  CHECK(host(".") == "");
  CHECK(host("./a//b/") == "");
  CHECK(host("..a/b..") == "");
  CHECK(host("a/...") == "");
  CHECK(host("") == "must not be empty");
  CHECK(host("/src") == "must be relative to the root, not absolute");
  CHECK(host("/") == "must be relative to the root, not absolute");
  CHECK(host("..") == "must not contain .. components");
  CHECK(host("../a") == "must not contain .. components");
  CHECK(host("a/..") == "must not contain .. components");
  CHECK(host("a/../b") == "must not contain .. components");
  CHECK(host("/..") == "must be relative to the root, not absolute; must not contain .. components");
  CHECK(host(std::string_view("a\0b", 3)) == "must not contain a NUL character");
}

TEST_CASE("1.4 remote paths are absolute, and clean but for a trailing /") {
  CHECK(remote("/app") == "");
  CHECK(remote("/app/") == "");
  CHECK(remote("/") == "");
  CHECK(remote("/a..b/.c") == "");
  CHECK(remote("app") == "must be an absolute path in the container");
  CHECK(remote("") == "must be an absolute path in the container");
  CHECK(remote("./app") == "must be an absolute path in the container; must not contain . or .. components");
  CHECK(remote("//app") == "must not contain empty components");
  CHECK(remote("/app//") == "must not contain empty components");
  CHECK(remote("/app/./x") == "must not contain . or .. components");
  CHECK(remote("/app/.") == "must not contain . or .. components");
  CHECK(remote("/app/..") == "must not contain . or .. components");
  CHECK(remote(std::string_view("/a\0", 3)) == "must not contain a NUL character");
}

TEST_CASE("1.4 nothing goes to /proc, /sys, /dev or below") {
  for (const char* path :
       {"/proc", "/proc/", "/proc/1/root", "/sys", "/sys/fs", "/dev", "/dev/", "/dev/shm"}) {
    CHECK_MESSAGE(remote(path) == "must not be /proc, /sys or /dev or below, which belong to the kernel",
                  path);
  }
  for (const char* path : {"/process", "/app/proc", "/devel", "/system", "/"})
    CHECK_MESSAGE(remote(path) == "", path);
}

TEST_CASE("3.3 ancestors are component-wise") {
  CHECK(at_or_below("src", "src"));
  CHECK(at_or_below("src/a", "src"));
  CHECK(at_or_below("src/a/b", "src"));
  CHECK_FALSE(at_or_below("src2", "src"));
  CHECK_FALSE(at_or_below("sr", "src"));
  CHECK_FALSE(at_or_below("src", "src/a"));
  CHECK(at_or_below("anything/at/all", "."));
  CHECK(at_or_below(".", "."));
  CHECK_FALSE(at_or_below(".", "src"));
  CHECK(strictly_below("src/a", "src"));
  CHECK_FALSE(strictly_below("src", "src"));
  CHECK_FALSE(strictly_below(".", "."));
  CHECK(strictly_below("/app", "/"));
  CHECK_FALSE(strictly_below("/", "/"));
}

TEST_CASE("paths are taken apart and put together") {
  CHECK(relative_to("src/a/b", "src") == "a/b");
  CHECK(relative_to("src", "src") == "");
  CHECK(relative_to("src/a", ".") == "src/a");
  CHECK(relative_to("/app/x", "/") == "app/x");
  CHECK(join_path("/app", "a/b") == "/app/a/b");
  CHECK(join_path("/app", "") == "/app");
  CHECK(join_path("/", "a") == "/a");
  CHECK(join_path(".", "a") == "a");
  CHECK(join_path("a", ".") == "a");
  CHECK(base_name("a/b") == "b");
  CHECK(base_name("b") == "b");
  CHECK(parent_path("a/b/c") == "a/b");
  CHECK(parent_path("a") == ".");
  CHECK(parent_path("/a") == "/");
  CHECK(parent_path("/a/b") == "/a");
}

TEST_CASE("2.1 what is UTF-8 and what is not") {
  for (const char* good :
       {"", "a", "\xC3\xA4", "\xE2\x82\xAC", "\xF0\x9F\x98\x80", "\xF4\x8F\xBF\xBF", "\xEF\xBF\xBD"}) {
    CHECK_MESSAGE(is_utf8(good), good);
  }
  for (const char* bad : {"\xFF", "a\x80", "\xC3", "\xC0\xAF", "\xE0\x80\xAF", "\xED\xA0\x80",
                          "\xF4\x90\x80\x80", "\xF8\x88\x80\x80\x80", "\xE2\x82"}) {
    CHECK_FALSE_MESSAGE(is_utf8(bad), bad);
  }
}
