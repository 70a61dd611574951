#include "core/rules/pattern.h"

#include <doctest/doctest.h>

#include <random>
#include <ranges>

#include "core/base/path.h"

using namespace live_update;

namespace {

bool match(std::string_view pattern, std::string_view path) {
  const auto compiled = Pattern::compile(pattern);
  REQUIRE_MESSAGE(compiled, pattern);
  return compiled->matches(path);
}

std::string why(std::string_view pattern) {
  const auto compiled = Pattern::compile(pattern);
  if (compiled) return "";
  CHECK(compiled.error().kind == ErrorKind::Invalid);
  return compiled.error().message;
}

bool below(std::string_view pattern, std::string_view directory) {
  const auto compiled = Pattern::compile(pattern);
  REQUIRE_MESSAGE(compiled, pattern);
  return compiled->could_match_below(directory);
}

}  // namespace

TEST_CASE("2.3 a plain pattern is a path relative to the root") {
  CHECK(match("src", "src"));
  CHECK(match("src/a.py", "src/a.py"));
  CHECK_FALSE(match("a.py", "src/a.py"));
  CHECK_FALSE(match("src", "src2"));
  CHECK_FALSE(match("src2", "src"));
  CHECK_FALSE(match("Src", "src"));
}

TEST_CASE("2.3 a pattern that matches a directory matches all below it") {
  CHECK(match("node_modules", "node_modules/a/b.js"));
  CHECK(match("*", "a/b/c"));
  CHECK(match("a/*", "a/b/c"));
  CHECK_FALSE(match("a/*", "a"));
  CHECK_FALSE(match("a/*/c", "a/b"));
}

TEST_CASE("2.3 patterns are trimmed and cleaned") {
  for (const char* pattern : {" src ", "\tsrc\r", "/src", "src/", "/src/", "./src", "src/.", "a/../src",
                              "//src//", "\xC2\xA0src\xE3\x80\x80", "./a/.././src"}) {
    CHECK_MESSAGE(match(pattern, "src"), pattern);
  }
  CHECK(match("a//b", "a/b"));
  CHECK(match("a/./b", "a/b"));
  CHECK(match("a b", "a b"));
  CHECK(match("*/../x", "x"));
}

TEST_CASE("2.3 nothing is matched by the empty pattern, the root, and what leads out of it") {
  for (const char* pattern :
       {"", " ", ".", "./", "/", "//", "a/..", "..", "../src", "/../src", "a/../../src", "!", "! ", "!."}) {
    for (const char* path : {"src", "a", ".", "..", "a/b"})
      CHECK_FALSE_MESSAGE(match(pattern, path), pattern << " " << path);
    CHECK_FALSE_MESSAGE(below(pattern, "."), pattern);
  }
}

TEST_CASE("2.3 the root itself is never matched") {
  for (const char* pattern : {"*", "**", "?", ".", "[.]", "**/*"})
    CHECK_FALSE_MESSAGE(match(pattern, "."), pattern);
}

TEST_CASE("2.3 * and ? do not cross /") {
  CHECK(match("*.py", "a.py"));
  CHECK(match("*.py", ".py"));
  CHECK(match("a*", "a"));
  CHECK(match("a*b*c", "aXXbYYc"));
  CHECK_FALSE(match("*.py", "src/a.py"));
  CHECK_FALSE(match("a*c", "a/c"));
  CHECK(match("a?c", "abc"));
  CHECK_FALSE(match("a?c", "a/c"));
  CHECK_FALSE(match("a?c", "ac"));
  CHECK_FALSE(match("?", "ab"));
}

TEST_CASE("2.3 ** in front of a name matches it at any depth") {
  CHECK(match("**/x", "x"));
  CHECK(match("**/x", "a/x"));
  CHECK(match("**/x", "a/b/x"));
  CHECK(match("**/x", "a/x/below"));
  CHECK_FALSE(match("**/x", "ax"));
  CHECK_FALSE(match("**/x", "a/bx"));
  CHECK(match("**/*.pyc", "a.pyc"));
  CHECK(match("**/*.pyc", "a/b/c.pyc"));
}

TEST_CASE("2.3 ** and then literal characters only matches every path that ends with them") {
  for (const char* path : {"a.pyc", ".pyc", "x/b.pyc", "x/y/.pyc", "x.pyc/below"})
    CHECK_MESSAGE(match("**.pyc", path), path);
  for (const char* path : {"a.pycx", "pyc", "x/pyc", "a.py"})
    CHECK_FALSE_MESSAGE(match("**.pyc", path), path);
  CHECK(match("**file", "file"));
  CHECK(match("**file", "afile"));
  CHECK(match("**file", "a/bfile"));
  CHECK(match("**metabase.jar", "target/uberjar/metabase.jar"));
  CHECK(match("**a/b", "xa/b"));
  CHECK(match("**a/b", "y/xa/b/below"));
  CHECK_FALSE(match("**a/b", "xa/xb"));
  CHECK(match("/**.pyc", "x/a.pyc"));
  CHECK(match("**.pyc/", "x/a.pyc"));
  CHECK(match("!**.pyc", "x/a.pyc"));
  CHECK(match("**\xC3\xA4", "x/y\xC3\xA4"));
  // Where Docker has no literal characters only, it means components, as everywhere else.
  CHECK_FALSE(match("**\\.pyc", "a.pyc"));
  CHECK(match("**\\.pyc", "x/.pyc"));
  CHECK_FALSE(match("**a]", "xa]"));
  CHECK_FALSE(match("**/**.pyc", "a.pyc"));
  CHECK_FALSE(match("****.pyc", "a.pyc"));
  CHECK_FALSE(match("x/**.pyc", "x/a.pyc"));
  CHECK_FALSE(match("**/.pyc", "a.pyc"));
  CHECK(match("***.pyc", "x/a.pyc"));
  CHECK(match("**?.pyc", "x/a.pyc"));
  CHECK_FALSE(match("**?.pyc", "ab.pyc"));
}

TEST_CASE("2.6 what ends with literal characters can be anywhere") {
  CHECK(below("**.pyc", "."));
  CHECK(below("**.pyc", "a/b"));
  CHECK(below("!**.pyc", "a"));
  CHECK(below("**.pyc", "a.pyc"));
}

TEST_CASE("2.3 ** inside a component stands for nothing or for anything that ends in /") {
  CHECK(match("a**/*.txt", "ab/c.txt"));
  CHECK(match("a**/*.txt", "a/b/c.txt"));
  CHECK(match("a**/*.txt", "a.txt"));
  CHECK(match("a**/*.txt", "abc.txt"));
  CHECK_FALSE(match("a**/*.txt", "b/c.txt"));
  CHECK(match("a**b", "ab"));
  CHECK(match("a**b", "ax/b"));
  CHECK_FALSE(match("a**b", "axb"));
}

TEST_CASE("2.3 ** between components") {
  CHECK(match("a/**/b", "a/b"));
  CHECK(match("a/**/b", "a/x/b"));
  CHECK(match("a/**/b", "a/x/y/b"));
  CHECK_FALSE(match("a/**/b", "ab"));
  CHECK_FALSE(match("a/**/b", "a/xb"));
  CHECK_FALSE(match("a/**/b", "x/a/b"));
  CHECK(match("**/a/**/b", "x/a/y/b"));
}

TEST_CASE("2.3 ** at the end stands for anything") {
  CHECK(match("abc/**", "abc/x"));
  CHECK(match("abc/**", "abc/x/y"));
  CHECK_FALSE(match("abc/**", "abc"));
  CHECK_FALSE(match("abc/**", "abcd"));
  CHECK(match("abc**", "abc"));
  CHECK(match("abc**", "abcd"));
  CHECK(match("abc**", "abc/d"));
  CHECK(match("abc/**/", "abc/x"));
  CHECK_FALSE(match("abc/**/", "abc"));
  CHECK(match("**", "a"));
  CHECK(match("**", "a/b"));
  CHECK(match("**/", "a/b"));
  CHECK(match("**/**", "a"));
  CHECK(match("***", "a"));
  CHECK(match("***", "a/b"));
  CHECK(match("****", "a/b"));
}

TEST_CASE("2.3 classes") {
  CHECK(match("[a-z]", "k"));
  CHECK_FALSE(match("[a-z]", "K"));
  CHECK_FALSE(match("[a-z]", "kk"));
  CHECK(match("[abc]x", "bx"));
  CHECK(match("[^a]", "b"));
  CHECK_FALSE(match("[^a]", "a"));
  CHECK(match("[a^]", "^"));
  CHECK(match("[!a]", "!"));
  CHECK(match("[!a]", "a"));
  CHECK_FALSE(match("[!a]", "b"));
  CHECK(match("[a-cx-z]", "y"));
  CHECK_FALSE(match("[a-cx-z]", "m"));
  CHECK(match("[\\]]", "]"));
  CHECK(match("[\\-a]", "-"));
  CHECK(match("[a\\-z]", "-"));
  CHECK_FALSE(match("[a\\-z]", "k"));
  CHECK(match("]", "]"));
  CHECK(match("[a-a]", "a"));
  CHECK(match("[*?]", "*"));
  CHECK_FALSE(match("[*?]", "x"));
}

TEST_CASE("2.3 classes and ? match one Unicode character, never /") {
  CHECK(match("?", "\xC3\xA4"));
  CHECK_FALSE(match("??", "\xC3\xA4"));
  CHECK(match("[\xC3\xA0-\xC3\xBF]", "\xC3\xA4"));
  CHECK(match("[^a]", "\xF0\x9F\x98\x80"));
  CHECK(match("x?y", "x\xE2\x82\xACy"));
  CHECK_FALSE(match("a[^b]c", "a/c"));
  CHECK_FALSE(match("a[/]c", "a/c"));
  CHECK_FALSE(match("a[.-0]c", "a/c"));
}

TEST_CASE("2.3 a backslash takes the next character as it is") {
  CHECK(match("\\*", "*"));
  CHECK_FALSE(match("\\*", "a"));
  CHECK(match("\\a", "a"));
  CHECK(match("\\!a", "!a"));
  CHECK(match("a\\?b", "a?b"));
  CHECK(match("\\[a]", "[a]"));
  CHECK(match("\\#a", "#a"));
  CHECK(match("\\\\", "\\"));
}

TEST_CASE("2.3 ! negates") {
  CHECK(Pattern::compile("!a")->negated());
  CHECK(Pattern::compile(" ! a ")->negated());
  CHECK(Pattern::compile("! a")->matches("a"));
  CHECK(Pattern::compile("!/a")->matches("a"));
  CHECK_FALSE(Pattern::compile("\\!a")->negated());
  CHECK_FALSE(Pattern::compile("./!a")->negated());
  CHECK(Pattern::compile("./!a")->matches("!a"));
  CHECK(Pattern::compile("!!a")->matches("!a"));
}

TEST_CASE("2.3 regular expression characters mean themselves") {
  CHECK(match("a.b", "a.b"));
  CHECK_FALSE(match("a.b", "axb"));
  for (const char* name : {"a+b", "(a)", "{a,b}", "a|b", "^a$", "a$"}) CHECK_MESSAGE(match(name, name), name);
  CHECK_FALSE(match("a+", "aa"));
}

TEST_CASE("2.4 malformed patterns are named, with the words of the CRD") {
  const std::string words =
      R"(must be a well-formed pattern: close every [ with ], and write a character after every \ )";
  CHECK(why("[a") == words + "([a: a [ is not closed)");
  CHECK(why("a/[") == words + "(a/[: a [ is not closed)");
  CHECK(why("[a-") == words + "([a-: a [ is not closed)");
  CHECK(why("[a\\") == words + "([a\\: it ends in \\)");
  CHECK(why("[]") == words + "([]: write \\] for a ] in [ ], which must not be empty)");
  CHECK(why("[^]") == words + "([^]: write \\] for a ] in [ ], which must not be empty)");
  CHECK(why("[]a]") == words + "([]a]: write \\] for a ] in [ ], which must not be empty)");
  CHECK(why("[-a]") == words + "([-a]: write \\- for a - in [ ])");
  CHECK(why("[a-]") == words + "([a-]: write \\] for a ] in [ ], which must not be empty)");
  CHECK(why("[a-b-c]") == words + "([a-b-c]: write \\- for a - in [ ])");
  CHECK(why("[z-a]") == words + "([z-a]: a range goes backwards)");
  CHECK(why("a\\") == words + "(a\\: it ends in \\)");
  CHECK(why(" !x[ ") == words + "(!x[: a [ is not closed)");
  CHECK(why("../[") == words + "(../[: a [ is not closed)");
  for (const char* good : {"[a]", "[^a]", "]", "a]", "[a][b]", "[\\]]", "\\[", "-", "[^^]", "{", "**["}) {
    CHECK_MESSAGE(why(good).empty() == (std::string_view(good) != "**["), good);
  }
}

TEST_CASE("2.6 what could match below a directory") {
  CHECK(below("a/b", "a"));
  CHECK(below("a/b/c", "a"));
  CHECK(below("a/b/c", "a/b"));
  CHECK(below("**/keep", "a/b"));
  CHECK(below("*/b", "a"));
  CHECK(below("a/**", "a"));
  CHECK(below("a/**", "a/b"));
  CHECK(below("a**/x", "ab/c"));
  CHECK(below("[ab]/x", "b"));
  CHECK_FALSE(below("a/b", "b"));
  CHECK_FALSE(below("a", "a"));
  CHECK_FALSE(below("a/b", "a/b"));
  CHECK_FALSE(below("*", "a"));
  CHECK_FALSE(below("*.py", "src"));
  CHECK_FALSE(below("a/*", "a/b"));
  CHECK_FALSE(below("a/b", "ab"));
  CHECK(below("x", "."));
}

TEST_CASE("2.3 **/ again and again is **/, whatever follows") {
  for (const char* path : {"x", "a/x", "a/b/x"}) {
    CHECK(match("**/**/x", path));
    CHECK(match("****/**/x", path));
    CHECK(match("**/**/**", path));
  }
  CHECK_FALSE(match("**/**/x", "ax"));
  CHECK(match("a/**/**/b", "a/b"));
  CHECK(match("a/**/**", "a/b/c"));
  CHECK_FALSE(match("a/**/**", "a"));
  CHECK(below("**/**/x", "a/b"));
}

// ------------------------------------------------------------------------------- against the rule's own
// words

namespace {

// Rule 2.3 read aloud: every choice is tried. For small patterns without classes and escapes.
bool slow(std::string_view pattern, std::string_view path) {
  if (pattern.empty()) return path.empty();
  if (pattern.starts_with("**")) {
    std::string_view rest = pattern.substr(2);
    if (rest.starts_with('/')) rest.remove_prefix(1);
    if (rest.empty()) return true;      // at the end: anything
    if (slow(rest, path)) return true;  // nothing
    for (std::size_t i = 0; i < path.size(); ++i) {
      if (path[i] == '/' && slow(rest, path.substr(i + 1))) return true;  // anything that ends in "/"
    }
    return false;
  }
  if (pattern.starts_with('*')) {
    for (std::size_t i = 0; i <= path.size(); ++i) {
      if (slow(pattern.substr(1), path.substr(i))) return true;
      if (i < path.size() && path[i] == '/') break;
    }
    return false;
  }
  if (path.empty()) return false;
  if (pattern[0] == '?' ? path[0] == '/' : pattern[0] != path[0]) return false;
  return slow(pattern.substr(1), path.substr(1));
}

// "**" and literal characters only is read as a whole.
bool slow_from_begin(std::string_view pattern, std::string_view path) {
  const bool suffix = pattern.starts_with("**") && pattern.substr(2).find_first_of("*?") == pattern.npos;
  if (suffix && pattern.size() > 2 && pattern[2] != '/') return path.ends_with(pattern.substr(2));
  return slow(pattern, path);
}

bool slow_with_parents(std::string_view pattern, std::string path) {
  for (; path != "."; path = std::string(parent_path(path))) {
    if (slow_from_begin(pattern, path)) return true;
  }
  return false;
}

}  // namespace

TEST_CASE("2.3 random patterns match as the rule says") {
  const unsigned seed = 7;
  CAPTURE(seed);
  std::mt19937 random(seed);
  auto text = [&](std::string_view letters, std::size_t longest) {
    std::string out;
    for (std::size_t n = 1 + random() % longest; n > 0; --n) out += letters[random() % letters.size()];
    return out;
  };
  int matched = 0;
  for (int i = 0; i < 60000; ++i) {
    const std::string pattern = clean_path(text("ab/**?", 8));
    const std::string path = clean_path(text("ab/", 8));
    if (path == "." || pattern == ".") continue;
    const bool expected = slow_with_parents(pattern, path);
    matched += expected;
    const auto compiled = Pattern::compile(pattern);
    REQUIRE(compiled);
    REQUIRE_MESSAGE(compiled->matches(path) == expected, pattern << " " << path);
    // What matches below is never denied.
    if (slow_from_begin(pattern, path))
      REQUIRE_MESSAGE(compiled->could_match_below(parent_path(path)), pattern << " " << path);
  }
  CHECK(matched > 5000);
}

// ---------------------------------------------------------------------------------------------- PathPattern

namespace {

bool entry(std::string_view text, std::string_view path) {
  const auto compiled = PathPattern::compile(text);
  REQUIRE_MESSAGE(compiled, text);
  return compiled->matches(path);
}

bool reaches(std::string_view text, std::string_view context) {
  const auto compiled = PathPattern::compile(text);
  REQUIRE_MESSAGE(compiled, text);
  return compiled->reaches_into(context);
}

}  // namespace

TEST_CASE("3.1 a literal path matches itself and what is below") {
  CHECK(entry("config", "config"));
  CHECK(entry("config", "config/a.yaml"));
  CHECK(entry("./config/", "config/a.yaml"));
  CHECK_FALSE(entry("config", "config2"));
  CHECK_FALSE(entry("config/a.yaml", "config"));
  CHECK(entry(".", "anything"));
  CHECK(entry(".", "."));
  CHECK(entry(" x", " x"));
}

TEST_CASE("3.1 a glob is a pattern of the dialect") {
  CHECK(entry("**/*.proto", "a/b.proto"));
  CHECK(entry("*.lock", "a.lock"));
  CHECK_FALSE(entry("*.lock", "src/a.lock"));
  CHECK(entry("conf*", "config/below"));
  CHECK(entry("\\!x", "!x"));
  CHECK(entry(" *.lock ", "a.lock"));
  CHECK(entry("./*.lock", "a.lock"));
  CHECK(is_glob("a?"));
  CHECK(is_glob("[a]"));
  CHECK(is_glob("\\!"));
  CHECK_FALSE(is_glob("a]"));
  CHECK_FALSE(is_glob("{a}"));
}

TEST_CASE("1.5, 2.4, 3.1 what an entry must not be") {
  CHECK(PathPattern::errors("!x").front() ==
        "must not begin with !, nothing can be excluded here: write \\! for a name that begins with it");
  CHECK(PathPattern::errors("!*.x").size() == 1);
  CHECK(PathPattern::errors(" !*.x").size() == 1);
  CHECK(PathPattern::errors("a!").empty());
  CHECK(PathPattern::errors("").front() == "must not be empty: write . for the root");
  CHECK(PathPattern::errors("/**/*.x").front() ==
        "must be relative to the root, not absolute: leave out the leading /");
  CHECK(PathPattern::errors("../*.x").front() ==
        "must not contain .. components: only paths below the root can be watched");
  CHECK(PathPattern::errors("a/../*.x").size() == 1);
  CHECK(PathPattern::errors("[x").front().starts_with("must be a well-formed pattern: "));
  CHECK(PathPattern::errors("/../[x").size() == 3);
}

TEST_CASE("1.3 whether an entry reaches into a context path") {
  CHECK(reaches("**/*.css", "web"));
  CHECK(reaches("web/*.css", "web"));
  CHECK(reaches("w*", "web"));
  CHECK(reaches("web/a/*.css", "web"));
  CHECK(reaches("*", "web/a"));
  CHECK_FALSE(reaches("api/*.css", "web"));
  CHECK_FALSE(reaches("*.css", "web"));
  CHECK_FALSE(reaches("web?/x", "web"));
  CHECK(reaches("*.css", "."));
  CHECK(reaches("web/a", "web"));
  CHECK_FALSE(reaches("web", "web/a"));
}
