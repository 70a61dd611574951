#include "watcher/refusals.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>

#include "core/base/text.h"
#include "watcher/wording.h"

namespace live_update {
namespace {

constexpr std::size_t kNamed = 5;

bool same(const Change& a, const Change& b) {
  return a.op == b.op && a.type == b.type &&
         (a.op == Op::Delete || (a.digest == b.digest && a.mode == b.mode && a.target == b.target));
}

}  // namespace

void Refusals::add(const std::vector<LeftOut>& left_out, Instant now) {
  const bool undecided =
      std::ranges::any_of(left_out, [](const LeftOut& it) { return !it.alone && !it.soon; });
  const bool decided = std::ranges::any_of(left_out, &LeftOut::alone);
  if (undecided)
    pause_ = std::clamp(pause_ * 2, kPause, kLongestPause);
  else if (decided)
    pause_ = {};
  for (const LeftOut& it : left_out)
    refused_[it.change.path] = {
        it.change, it.alone ? std::nullopt : std::optional(now + std::max(pause_, kPause)), it.soon};
}

void Refusals::sift(std::vector<Change>& changes) {
  std::erase_if(changes, [&](const Change& change) {
    const auto found = refused_.find(change.path);
    if (found == refused_.end()) return false;
    if (same(found->second.change, change)) return true;
    refused_.erase(found);
    return false;
  });
}

void Refusals::spare(std::vector<Change>& changes, Unknowns& unknown, const Tree& tree) {
  std::erase_if(refused_, [&](const auto& item) {
    const auto& [path, refused] = item;
    const Entry* now = tree.find(path);
    return !same(refused.change, now ? change_to(path, *now)
                                     : Change{.path = path, .op = Op::Delete, .type = refused.change.type});
  });
  for (const auto& [path, refused] : refused_) unknown.add(path);
  std::erase_if(changes, [&](const Change& change) { return refused_.contains(change.path); });
}

std::vector<Change> Refusals::deletes() const {
  std::vector<Change> all;
  for (const auto& [path, refused] : refused_)
    if (refused.change.op == Op::Delete) all.push_back(refused.change);
  return all;
}

std::optional<Refusals::Instant> Refusals::due() const {
  std::optional<Instant> first;
  for (const auto& [path, refused] : refused_)
    if (refused.again && (!first || *refused.again < *first)) first = refused.again;
  return first;
}

std::set<std::string> Refusals::take_due(Instant now) {
  std::set<std::string> paths;
  std::erase_if(refused_, [&](const auto& item) {
    const auto& again = item.second.again;
    return again && *again <= now && paths.insert(item.first).second;
  });
  return paths;
}

std::set<std::string> Refusals::take_soon(bool taken) {
  std::set<std::string> paths;
  if (taken) hurries_ = kHurries;
  if (hurries_ <= 0) return paths;
  std::erase_if(refused_,
                [&](const auto& item) { return item.second.soon && paths.insert(item.first).second; });
  if (!taken && !paths.empty()) --hurries_;
  return paths;
}

std::set<std::string> Refusals::take_all() {
  std::set<std::string> paths;
  for (const auto& [path, refused] : refused_) paths.insert(path);
  refused_.clear();
  pause_ = {};
  return paths;
}

// Of what was not refused alone the words of the server matter where it is one.
std::vector<std::string> say_left_out(const std::vector<LeftOut>& left_out) {
  std::map<std::string, std::vector<std::string>> by_reason;
  std::string last;
  for (const LeftOut& it : left_out) {
    if (it.soon) continue;
    auto& paths = by_reason[it.alone ? it.why : ""];
    if (!it.alone) last = it.why;
    if (std::ranges::find(paths, it.change.path) == paths.end()) paths.push_back(it.change.path);
  }
  std::vector<std::string> lines;
  for (const auto& [why, paths] : by_reason) {
    std::string names;
    for (std::size_t i = 0; i < std::min(paths.size(), kNamed); ++i)
      names += (i > 0 ? ", " : "") + visible(paths[i]);
    if (paths.size() > kNamed)
      names += " and " + say_count(static_cast<std::int64_t>(paths.size() - kNamed)) + " more";
    const char* them = paths.size() == 1 ? "it" : "them";
    if (!why.empty())
      lines.push_back(
          fmt::format("{} -> not accepted: {}; everything else is sent. Change or ignore {}, or have that "
                      "rule changed and "
                      "start again",
                      names, visible_lines(why), them));
    else if (paths.size() == 1 && !last.empty())
      lines.push_back(
          fmt::format("{} -> not accepted: {}; everything else is sent, and it is tried again by itself",
                      names, visible_lines(last)));
    else
      lines.push_back(fmt::format(
          "{} -> not sent yet: the API server refuses too many of them; tried again by itself", names));
  }
  return lines;
}

}  // namespace live_update
