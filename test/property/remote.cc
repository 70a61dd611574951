#include "test/property/remote.h"

#include <algorithm>

#include "core/base/path.h"
#include "core/rules/ignore_rules.h"
#include "core/rules/mapping.h"

namespace live_update::property {
namespace {

constexpr const char* kFroms[] = {"a", "a", "a", "b", "b", ".", ".", "a/a", "a/b", "b/a", "c"};
constexpr const char* kTos[] = {"/a", "/a", "/a/", "/b", "/b/", "/a/a", "/a/b", "/a/b/", "/"};
constexpr const char* kIgnores[] = {"a", "!a/b", "**/c", "a/a", "**/a0", "b/*", "!b/a", "*/b"};

bool at_or_below_text(std::string_view path, std::string_view folder) {
  return folder == "." || path == folder ||
         (path.size() > folder.size() && path.starts_with(folder) && path[folder.size()] == '/');
}

std::string slashed(std::string text) { return text.ends_with('/') ? text : text + '/'; }

// Rule 3.3.
std::string place_of(const Rules::Way& way, const std::string& path, bool directory) {
  if (path == way.from) {
    if (directory || !way.to.ends_with('/'))
      return way.to.size() > 1 && way.to.ends_with('/') ? way.to.substr(0, way.to.size() - 1) : way.to;
    return way.to + path.substr(path.rfind('/') + 1);
  }
  return slashed(way.to) + (way.from == "." ? path : path.substr(way.from.size() + 1));
}

std::vector<Rules::Way> ways_of(const LiveUpdateSpec& spec) {
  std::vector<Rules::Way> ways;
  for (const Step& it : spec.steps)
    if (const auto* sync = std::get_if<Sync>(&it)) ways.push_back({sync->from, sync->to});
  return ways;
}

// Whether what stands there keeps something else from being there, too.
bool conflicts(const Nodes& container) {
  return std::ranges::any_of(container, [&](const auto& item) {
    return item.second.type != FileType::Directory && has_below(container, item.first);
  });
}

}  // namespace

Rules::Way Rules::Way::draw(Dice& dice, int) { return {dice.pick(kFroms), dice.pick(kTos)}; }
std::vector<Rules::Way> Rules::Way::simpler() const {
  std::vector<Way> out;
  if (from != "a") out.push_back({"a", to});
  if (to != "/a") out.push_back({from, "/a"});
  if (to.size() > 1 && to.ends_with('/')) out.push_back({from, to.substr(0, to.size() - 1)});
  return out;
}

Rules Rules::draw(Dice& dice, int size) {
  Rules rules;
  rules.syncs = List<Way, 3>::draw(dice, size);
  if (rules.syncs.all.empty()) rules.syncs.all.push_back(Way::draw(dice, size));
  if (dice.one_in(3))
    for (std::size_t count = 1 + dice.below(2); count > 0; --count)
      rules.ignore.push_back(dice.pick(kIgnores));
  rules.stops = dice.one_in(6);
  rules.all_counts = dice.one_in(2);
  rules.falls_back = dice.one_in(3);
  return rules;
}

std::vector<Rules> Rules::simpler() const {
  std::vector<Rules> out;
  const auto with = [&](auto change) { change(out.emplace_back(*this)); };
  for (auto& it : syncs.simpler())
    if (!it.all.empty()) with([&](Rules& rules) { rules.syncs = std::move(it); });
  for (std::size_t i = 0; i < ignore.size(); ++i)
    with([&](Rules& rules) { rules.ignore.erase(rules.ignore.begin() + static_cast<std::ptrdiff_t>(i)); });
  if (stops) with([](Rules& rules) { rules.stops = false; });
  if (!all_counts) with([](Rules& rules) { rules.all_counts = true; });
  if (falls_back) with([](Rules& rules) { rules.falls_back = false; });
  return out;
}

LiveUpdateSpec Rules::spec() const {
  LiveUpdateSpec spec;
  if (all_counts) spec.source.context = {"."};
  spec.source.ignore = ignore;
  spec.source.on_unmatched = falls_back ? OnUnmatched::FallBack : OnUnmatched::Ignore;
  if (stops) spec.steps.push_back(FallBackOn{{"b/b"}});
  for (const Way& it : syncs) spec.steps.push_back(Sync{it.from, it.to});
  return spec;
}

LiveUpdateSpec Rules::calm_spec() const {
  Rules calm = *this;
  calm.stops = calm.falls_back = false;
  return calm.spec();
}

void showValue(const Rules& rules, std::ostream& out) {
  if (!rules.all_counts) out << "no context, ";
  for (const std::string& it : rules.ignore) out << "ignore " << it << ", ";
  if (rules.stops) out << "fallBackOn b/b, ";
  if (rules.falls_back) out << "onUnmatched: FallBack, ";
  for (bool first = true; const auto& it : rules.syncs)
    out << (std::exchange(first, false) ? "sync " : ", sync ") << it.from << " -> " << it.to;
}

std::optional<Nodes> mapped(const LiveUpdateSpec& spec, const Nodes& disk) {
  const IgnoreRules ignore = IgnoreRules::from_spec(spec);
  const auto context = context_of(spec);
  const auto ways = ways_of(spec);
  Nodes container;
  for (std::size_t i = 0; i < ways.size(); ++i)
    for (const auto& [path, node] : disk) {
      const auto way =
          std::ranges::find_if(ways, [&](const auto& it) { return at_or_below_text(path, it.from); });
      if (way != ways.begin() + static_cast<std::ptrdiff_t>(i) || !in_context(path, context) ||
          ignore.check(path).ignored)
        continue;
      const std::string to = place_of(*way, path, node.type == FileType::Directory);
      if (node.type == FileType::Symlink)
        for (const auto& other : ways)
          if (path == other.from || at_or_below_text(other.to, to)) return std::nullopt;
      const bool added = container.insert({to, node}).second;
      if (!added && container[to].type != node.type &&
          (container[to].type == FileType::Directory || node.type == FileType::Directory))
        return std::nullopt;
    }
  if (conflicts(container)) return std::nullopt;
  return container;
}

void carry_out(Nodes& container, const Update& update, const Nodes& disk) {
  std::vector<std::string> folders;
  for (const RemoteDelete& it : update.deletes) {
    const auto at = container.find(it.to);
    if (at == container.end()) continue;
    const bool folder = at->second.type == FileType::Directory;
    if (it.type == FileType::Directory && folder) folders.push_back(it.to);
    if (it.type != FileType::Directory && !folder) container.erase(at);
  }
  std::ranges::sort(folders, std::greater());
  for (const std::string& it : folders)
    if (!has_below(container, it)) container.erase(it);
  for (const bool directories : {true, false})
    for (const Copy& it : update.copies)
      if (const auto on_disk = disk.find(it.from);
          on_disk != disk.end() && directories == (it.type == FileType::Directory))
        put(container, it.to, on_disk->second);
}

std::string text_of(const Plan& plan) {
  if (std::holds_alternative<Nothing>(plan.decision)) return "nothing";
  if (std::holds_alternative<FallBack>(plan.decision)) return "fall back";
  std::string text;
  const auto add = [&](const std::string& word) { text += (text.empty() ? "" : ", ") + word; };
  const Update& update = std::get<Update>(plan.decision);
  for (const RemoteDelete& it : update.deletes) {
    add((it.type == FileType::Directory ? "rmdir " : "rm ") + it.to);
    for (const std::string& keep : it.keep) text += " but " + keep;
  }
  for (const Copy& it : update.copies)
    add((it.type == FileType::Directory ? "mkdir " : "copy ") + it.from + " -> " + it.to);
  return text;
}

}  // namespace live_update::property
