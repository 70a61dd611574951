// Runs the properties; doctest chooses and counts them.
//
//   property                        100,000 cases from a seed of today
//   property --seed=42              from this one
//   property --cases=1000000        more of them, shared as before
//   property --distribution         says what the cases were like
#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>

#include <algorithm>
#include <cstdio>
#include <map>
#include <random>
#include <sstream>
#include <string_view>

#include "core/base/text.h"
#include "test/property/holds.h"

namespace live_update::property {

Options& options() {
  static Options all;
  return all;
}

namespace detail {
namespace {

constexpr std::int64_t kAll = 100'000;  // what the shares of all properties add up to

const char* name() { return doctest::getContextOptions()->currentTest->m_name; }

// A comma ends a pattern of doctest's, and a quote the shell's word.
std::string again() {
  std::string pattern = name();
  std::ranges::replace_if(pattern, [](char c) { return c == ',' || c == '"' || c == '`' || c == '$'; }, '?');
  std::string command = "build-release/test/property/property --seed=" + std::to_string(options().seed);
  if (options().cases != kAll) command += " --cases=" + std::to_string(options().cases);
  return command + " --test-case=\"" + pattern + '"';
}

void say_distribution(const rc::detail::SuccessResult& result) {
  std::map<std::string, int> by_tag;
  for (const auto& [tags, count] : result.distribution)
    for (const std::string& tag : std::set<std::string>(tags.begin(), tags.end())) by_tag[tag] += count;
  std::printf("%s\n%8d cases\n", name(), result.numSuccess);
  for (const auto& [tag, count] : by_tag)
    std::printf("%7.1f %% %s\n", 100.0 * count / std::max(result.numSuccess, 1), tag.c_str());
}

std::string say(const rc::detail::FailureResult& failure) {
  std::ostringstream out;
  out << "falsified by case " << failure.numSuccess + 1 << ", here after "
      << failure.reproduce.shrinkPath.size() << " simplifications:\n";
  for (const auto& [type, value] : failure.counterExample) out << value << '\n';
  out << failure.description << "\nagain: " << again();
  return out.str();
}

void report(const rc::detail::TestResult& result) {
  if (result.is<rc::detail::SuccessResult>()) {
    const auto& success = result.get<rc::detail::SuccessResult>();
    options().done += success.numSuccess;
    if (options().distribution) say_distribution(success);
    CHECK(success.numSuccess > 0);
  } else if (result.is<rc::detail::FailureResult>()) {
    FAIL(say(result.get<rc::detail::FailureResult>()));
  } else {
    std::ostringstream out;
    rc::detail::printResultMessage(result, out);
    FAIL(out.str() << "\nagain: " << again());
  }
}

// RapidCheck's own listeners read RC_PARAMS and name a seed of theirs.
struct Silence : rc::detail::TestListener {
  void onTestCaseFinished(const rc::detail::CaseDescription&) override {}
  void onShrinkTried(const rc::detail::CaseDescription&, bool) override {}
  void onTestFinished(const rc::detail::TestMetadata&, const rc::detail::TestResult&) override {}
};

}  // namespace

void check(const rc::detail::Property& property, int share) {
  rc::detail::TestParams params;
  params.seed = options().seed;
  params.maxSuccess = static_cast<int>(std::max<std::int64_t>(share * options().cases / kAll, 1));
  params.maxDiscardRatio = 3;
  Silence silence;
  report(rc::detail::checkProperty(property, {}, params, silence, {}));
}

}  // namespace detail
}  // namespace live_update::property

int main(int argc, char** argv) {
  using live_update::to_number;
  auto& options = live_update::property::options();
  options.seed = std::random_device{}();
  for (int i = 1; i < argc; ++i) {
    const std::string_view word = argv[i];
    if (word.starts_with("--seed=")) options.seed = static_cast<std::uint64_t>(to_number(word.substr(7)));
    if (word.starts_with("--cases=")) options.cases = to_number(word.substr(8));
    options.distribution = options.distribution || word == "--distribution";
  }
  doctest::Context context(argc, argv);
  const int result = context.run();
  if (context.shouldExit()) return result;
  std::printf("property: %lld cases, seed %llu\n", static_cast<long long>(options.done),
              static_cast<unsigned long long>(options.seed));
  return result;
}
