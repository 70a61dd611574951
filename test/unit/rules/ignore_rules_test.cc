#include "core/rules/ignore_rules.h"

#include "test/unit/rules/rules_fixture.h"

using namespace live_update;

namespace {

// "no", "by X", "by X, whole".
std::string text(const IgnoreRules::Verdict& verdict) {
  if (!verdict.ignored) return verdict.whole ? "not ignored, but whole" : "no";
  return "by " + std::string(verdict.by) + (verdict.whole ? ", whole" : "");
}

struct rules {
  LiveUpdateSpec spec = spec_with({sync(".", "/app")});
  std::optional<IgnoreFile> file;

  rules& list(std::vector<std::string> patterns) { return spec.source.ignore = std::move(patterns), *this; }
  rules& ignore_file(std::string text) { return file = IgnoreFile{".dockerignore", std::move(text)}, *this; }
  rules& falls_back_on(std::vector<std::string> paths) {
    return spec.steps.insert(spec.steps.begin(), fall_back_on(std::move(paths))), *this;
  }
  rules& lets_out(std::vector<std::string> patterns) {
    return spec.source.credentials = std::move(patterns), *this;
  }
  rules& syncs(std::string from) { return spec.steps.push_back(sync(std::move(from), "/app")), *this; }
  std::string check(std::string_view path) const {
    const auto compiled = IgnoreRules::compile(spec, file);
    REQUIRE(compiled);
    const std::string one = text(compiled->check(path));
    if (path == ".") return one;
    IgnoreRules::Directory directory = compiled->root();
    std::string_view rest = path;
    for (std::size_t slash; (slash = rest.find('/')) != rest.npos; rest.remove_prefix(slash + 1))
      directory = directory.enter(rest.substr(0, slash));
    CHECK_MESSAGE(text(directory.check(rest)) == one, "a walk and one look-up differ: " << path);
    return one;
  }
  std::string errors() const {
    const auto compiled = IgnoreRules::compile(spec, file);
    std::string out;
    if (!compiled) {
      for (const FieldError& error : compiled.error()) out += error.field + " ";
    }
    return out;
  }
};

}  // namespace

TEST_CASE("2.2 nothing is ignored without a reason") {
  CHECK(rules().check("src/a.py") == "no");
  CHECK(rules().check(".gitignore") == "no");
  CHECK(rules().check("a.git/x") == "no");
  CHECK(rules().check(".") == "no");
}

TEST_CASE("2.2 each pattern says where it stands") {
  CHECK(rules().list({"a", "**/*.pyc"}).check("src/x.pyc") == "by spec.source.ignore[1]: **/*.pyc, whole");
  CHECK(rules().ignore_file("# comment\n\nnode_modules\n").check("node_modules/x") ==
        "by .dockerignore:3: node_modules, whole");
  CHECK(rules().ignore_file("  /build/  \r\n").check("build") == "by .dockerignore:1: /build/, whole");
}

TEST_CASE("2.2 .git is ignored at any depth, whatever the patterns say") {
  CHECK(rules().check(".git") == "by built in: **/.git, whole");
  CHECK(rules().check(".git/HEAD") == "by built in: **/.git, whole");
  CHECK(rules().check("vendor/lib/.git/config") == "by built in: **/.git, whole");
  CHECK(rules().list({"!.git"}).ignore_file("!**/.git").check(".git/HEAD") == "by built in: **/.git, whole");
}

TEST_CASE("2.2 a ! un-ignores only within its own matcher") {
  CHECK(rules().list({"*.log", "!keep.log"}).check("keep.log") == "no");
  CHECK(rules().list({"*.log"}).ignore_file("!keep.log").check("keep.log") ==
        "by spec.source.ignore[0]: *.log, whole");
  CHECK(rules().list({"!keep.log"}).ignore_file("*.log").check("keep.log") ==
        "by .dockerignore:1: *.log, whole");
}

TEST_CASE("2.3 the last matching pattern decides") {
  CHECK(rules().list({"a", "!a", "a"}).check("a") == "by spec.source.ignore[2]: a, whole");
  CHECK(rules().list({"a", "!a"}).check("a/b") == "no");
  CHECK(rules().list({"!a", "a"}).check("a") == "by spec.source.ignore[1]: a, whole");
  CHECK(rules().list({"a", "!a/b", "a/b/c"}).check("a/b/c/d") == "by spec.source.ignore[2]: a/b/c, whole");
  CHECK(rules().list({"a", "!a/b", "a/b/c"}).check("a/b/d") == "no");
  CHECK(rules().list({"*", "!src"}).check("src/a.py") == "no");
  CHECK(rules().list({"*", "!src"}).check("README") == "by spec.source.ignore[0]: *, whole");
}

TEST_CASE("2.3 a BOM, blank lines and # in the first column are skipped in files") {
  CHECK(rules().ignore_file("\xEF\xBB\xBF#x\n \t\n a\n").check("a") == "by .dockerignore:3: a, whole");
  CHECK(rules()
            .ignore_file("\xEF\xBB\xBF"
                         "a\n")
            .check("a") == "by .dockerignore:1: a, whole");
  CHECK(rules().ignore_file("#a").check("#a") == "no");
  CHECK(rules().ignore_file(" #a").check("#a") == "by .dockerignore:1: #a, whole");
  CHECK(rules().ignore_file("").check("a") == "no");
}

TEST_CASE("2.3 in a list # is an ordinary character") {
  CHECK(rules().list({"#a"}).check("#a") == "by spec.source.ignore[0]: #a, whole");
}

TEST_CASE("2.3 what matches nothing ignores nothing") {
  CHECK(rules().list({"", ".", "/", "..", "!", "../a"}).check("a") == "no");
  CHECK(rules().list({"**"}).check(".") == "no");
}

TEST_CASE("2.4 every malformed pattern is an error with its place") {
  CHECK(rules().list({"a", "[", "b", "[z-a]"}).ignore_file("ok\n# [\n[x\n").errors() ==
        "spec.source.ignore[1] spec.source.ignore[3] .dockerignore:3 ");
  CHECK(rules().list({"[a]"}).errors() == "");
}

TEST_CASE("2.4 an ignore file has a greatest size") {
  auto errors = [](const std::string& text) -> std::string {
    const auto rules = IgnoreRules::compile({}, IgnoreFile{".dockerignore", text});
    return rules ? "" : rules.error()[0].field + ": " + rules.error()[0].message;
  };
  auto lines = [](int count, const std::string& line) {
    std::string out;
    for (int i = 0; i < count; ++i) out += line + "\n# a comment\n\n";
    return out;
  };
  const std::string message =
      "too many patterns: an ignore file may have 10,000, with 262,144 characters in all; write fewer, wider "
      "ones";
  CHECK(errors(lines(10'000, "a")) == "");
  CHECK(errors(lines(10'001, "a")) == ".dockerignore:30001: " + message);
  CHECK(errors(lines(256, std::string(1024, 'a'))) == "");
  CHECK(errors(lines(257, std::string(1024, 'a'))) == ".dockerignore:769: " + message);
  CHECK(errors(std::string(2000, 'a')) == ".dockerignore:1: must be at most 1024 characters long, is 2000");
}

TEST_CASE("2.3 2.6 **.pyc in an ignore file, and taken back") {
  CHECK(given(spec_with({sync(".", "/app")}))
            .ignore_file("**.pyc\n!**keep.pyc\n")
            .saved("a.pyc")
            .saved("x/b.pyc")
            .saved("x/keep.pyc")
            .plan() == "copy x/keep.pyc -> /app/x/keep.pyc");
  CHECK(given(spec_with({sync(".", "/app")})).ignore_file("build\n!**.map\n").saved("build/a").ignored() ==
        "build/a by .dockerignore:1: build");
}

TEST_CASE("2.5 temporary files of editors") {
  for (const char* path : {"a___jb_old___",
                           "src/a___jb_tmp___",
                           ".idea",
                           ".idea/workspace.xml",
                           "x/.#lock",
                           "#auto#",
                           "src/flymake_a.py",
                           "4913",
                           "src/4913",
                           "a.py~",
                           ".a.swp",
                           "src/.a.py.swx",
                           ".a.swo",
                           ".a.swn",
                           ".a.kate-swp",
                           "a-go-tmp-umask",
                           ".DS_Store",
                           "a/.nfs000123",
                           ".goutputstream-X1",
                           "dir~/below"}) {
    CHECK_MESSAGE(rules().check(path).starts_with("by built in: **/"), path);
  }
  for (const char* path : {"a.swp", "49130", "idea", "#a", "a#", "flymake_a", "xflymake_a.py", "~a",
                           "DS_Store", "goutputstream-X", ".swp", "nfs1", "a.kate-swp"}) {
    if (std::string_view(path) == ".swp") continue;  // "**/.*.swp" needs a second dot
    CHECK_MESSAGE(rules().check(path) == "no", path);
  }
  CHECK(rules().check(".swp") == "no");
}

TEST_CASE("2.6 an ignored directory is whole unless a later ! could match below") {
  CHECK(rules().list({"a", "!a/b/keep"}).check("a") == "by spec.source.ignore[0]: a");
  CHECK(rules().list({"a", "!a/b/keep"}).check("a/b") == "by spec.source.ignore[0]: a");
  CHECK(rules().list({"a", "!a/b/keep"}).check("a/c") == "by spec.source.ignore[0]: a, whole");
  CHECK(rules().list({"a", "!a/b/keep"}).check("a/b/keep/x") == "no");
  CHECK(rules().list({"!a/b", "a"}).check("a") == "by spec.source.ignore[1]: a, whole");
  CHECK(rules().list({"a", "!**/keep"}).check("a/b/c") == "by spec.source.ignore[0]: a");
  CHECK(rules().list({"a", "!b/*"}).check("a") == "by spec.source.ignore[0]: a, whole");
  CHECK(rules().list({"a", "!a/b", "a"}).check("a") == "by spec.source.ignore[2]: a, whole");
  CHECK(rules().list({"a"}).ignore_file("!a/b").check("a") == "by spec.source.ignore[0]: a, whole");
}

TEST_CASE("2.6 whole if any matcher ignores it as a whole, and that one is named") {
  CHECK(rules().list({"a", "!a/b"}).ignore_file("a").check("a") == "by .dockerignore:1: a, whole");
  CHECK(rules().list({"a", "!a/b"}).ignore_file("a\n!a/c").check("a") == "by spec.source.ignore[0]: a");
}

TEST_CASE("2.2 a literal fallBackOn path is never ignored, what is below it is") {
  CHECK(rules().list({"Dockerfile"}).falls_back_on({"./Dockerfile"}).check("Dockerfile") == "no");
  CHECK(rules().list({"a"}).falls_back_on({"a"}).check("a") == "no");
  CHECK(rules().list({"a"}).falls_back_on({"a"}).check("a/b") == "by spec.source.ignore[0]: a, whole");
  CHECK(rules().falls_back_on({".git/HEAD"}).check(".git/HEAD") == "no");
  CHECK(rules().list({"a.proto"}).falls_back_on({"*.proto"}).check("a.proto") ==
        "by spec.source.ignore[0]: a.proto, whole");
}

TEST_CASE("2.6 a directory with a literal fallBackOn path below is not whole") {
  CHECK(rules().list({"a"}).falls_back_on({"a/b/c"}).check("a") == "by spec.source.ignore[0]: a");
  CHECK(rules().list({"a"}).falls_back_on({"a/b/c"}).check("a/b") == "by spec.source.ignore[0]: a");
  CHECK(rules().list({"a"}).falls_back_on({"a/b/c"}).check("a/x") == "by spec.source.ignore[0]: a, whole");
  CHECK(rules().list({"a"}).falls_back_on({"a/b*"}).check("a") == "by spec.source.ignore[0]: a, whole");
  CHECK(rules().falls_back_on({".git/HEAD"}).check(".git") == "by built in: **/.git");
}

TEST_CASE("2.1 a path that is not UTF-8 is ignored") {
  CHECK(rules().check("a\xFF") == "by built in: a path that is not UTF-8 cannot be sent, whole");
  CHECK(rules().check("\xC3\xA4") == "no");
}

TEST_CASE("the operator's rules leave malformed patterns out") {
  LiveUpdateSpec spec = ignoring({"[", "b"}, spec_with({sync(".", "/app")}));
  CHECK(text(IgnoreRules::from_spec(spec).check("b")) == "by spec.source.ignore[1]: b, whole");
}

TEST_CASE("2.8 credentials are ignored, at any depth") {
  for (const char* path : {".env", "a/.env", ".env.local", ".env.production.local", "a/id_rsa", "id_rsa.pub",
                           "id_ed25519_work", "tls/server.pem", "tls/server.key", "a.p12", "a.pfx", ".netrc",
                           "b/.pypirc", "prod.kubeconfig", "x/.docker/config.json"})
    CHECK_MESSAGE(rules().check(path).starts_with("by credentials: **/"), path);
  CHECK(rules().check("a/.env") == "by credentials: **/.env, whole");
  CHECK(rules().check("a/.ssh/config") == "by credentials: **/.ssh, whole");
  CHECK(rules().check(".aws/credentials") == "by credentials: **/.aws, whole");
  CHECK(rules().check(".kube") == "by credentials: **/.kube, whole");
  CHECK(rules().check(".gnupg/x/y") == "by credentials: **/.gnupg, whole");
}

TEST_CASE("2.8 names of well-known public use, and names that are only similar, are none") {
  for (const char* path :
       {".env.example", "a/.env.sample", ".env.template", ".env.local.example", "cacert.pem",
        "python/certifi/cacert.pem", "i18n/de.key", "a/i18n/en.key", "env", ".envrc", "my.env",
        "docker/config.json", ".docker/other.json", "a.pem.txt", "keys", "monkey", ".npmrc", "ssh", "a.key/"})
    CHECK_MESSAGE((std::string_view(path).ends_with('/') || rules().check(path) == "no"), path);
  CHECK(rules().check("i18n/sub/de.key") == "by credentials: **/*.key");
}

TEST_CASE("2.8 source.credentials lets some out, by the dialect, relative to the root") {
  CHECK(rules().lets_out({".env"}).check(".env") == "no");
  CHECK(rules().lets_out({".env"}).check("a/.env") == "by credentials: **/.env, whole");
  CHECK(rules().lets_out({"**/.env"}).check("a/.env") == "no");
  CHECK(rules().lets_out({"**"}).check("a/.ssh/id_rsa") == "no");
  CHECK(rules().lets_out({" /tls/ "}).check("tls/server.key") == "no");
  CHECK(rules().lets_out({"**", "!tls"}).check("tls/server.key") == "by credentials: **/*.key");
  CHECK(rules().lets_out({"**", "!tls"}).check("tls/readme") == "no");
  CHECK(rules().lets_out({"**", "!tls"}).check("server.key") == "no");
  CHECK(rules().lets_out({"!tls", "**"}).check("tls/server.key") == "no");
  CHECK(rules().lets_out({".ssh/config"}).check(".ssh") == "by credentials: **/.ssh");  // it must be entered
  CHECK(rules().lets_out({".ssh/config"}).check(".ssh/config") == "no");
  CHECK(rules().lets_out({"a", "[x"}).errors() == "spec.source.credentials[1] ");
}

TEST_CASE("2.8 the other matchers decide for themselves") {
  CHECK(rules().list({"!.env"}).check(".env") == "by credentials: **/.env, whole");
  CHECK(rules().list({".env"}).check(".env") == "by spec.source.ignore[0]: .env, whole");
  CHECK(rules().list({".env"}).lets_out({"**"}).check(".env") == "by spec.source.ignore[0]: .env, whole");
}

TEST_CASE("2.8 what a sync or fallBackOn names literally is meant, but nothing below it") {
  CHECK(rules().syncs("conf/.env").check("conf/.env") == "no");
  CHECK(rules().syncs("conf/.env").check(".env") == "by credentials: **/.env, whole");
  CHECK(rules().falls_back_on({"tls/ca.pem"}).check("tls/ca.pem") == "no");
  CHECK(rules().falls_back_on({"tls/*.pem"}).check("tls/ca.pem") == "by credentials: **/*.pem");
  CHECK(rules().syncs(".ssh/config").check(".ssh") == "by credentials: **/.ssh");
  CHECK(rules().syncs(".ssh/config").check(".ssh/config") == "no");
  CHECK(rules().syncs(".ssh/config").check(".ssh/id_rsa") == "by credentials: **/id_rsa*, whole");
  CHECK(rules().syncs(".aws").check(".aws") == "no");
  CHECK(rules().syncs(".aws").check(".aws/credentials") == "by credentials: **/.aws, whole");
  CHECK(rules().syncs("conf/.env").list({"conf"}).check("conf/.env") ==
        "by spec.source.ignore[0]: conf, whole");
}

TEST_CASE("2.8 the operator does not judge credentials: what the host has sent was meant") {
  CHECK_FALSE(IgnoreRules::from_spec(rules().spec).check(".env").ignored);
  CHECK_FALSE(IgnoreRules().check("a/.ssh/id_rsa").ignored);
}
