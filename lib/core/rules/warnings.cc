#include <algorithm>
#include <optional>

#include "core/api/workload_kinds.h"
#include "core/base/path.h"
#include "core/rules/mapping.h"
#include "core/rules/pattern.h"
#include "core/rules/validate.h"

namespace live_update {
namespace {

std::string step_field(std::size_t step, std::string_view rest) {
  return "spec.steps[" + std::to_string(step) + "]" + std::string(rest);
}

class Warner {
 public:
  Warner(const LiveUpdateSpec& spec, const HostTree* host)
      : spec_(spec),
        host_(host),
        rules_(IgnoreRules::compile(spec, {})),
        mapping_(spec),
        context_(context_of(spec)) {}

  std::vector<FieldError> warn() {
    kind();
    for (std::size_t i = 0; i < spec_.steps.size(); ++i) {
      if (const auto* sync = std::get_if<Sync>(&spec_.steps[i])) source(i, clean_path(sync->from));
      if (const auto* run = std::get_if<Run>(&spec_.steps[i])) {
        credentials(step_field(i, ".run.triggers"), run->triggers);
        if (run->when != RunWhen::Always) triggers(step_field(i, ".run.triggers"), run->triggers);
      }
      if (const auto* restart = std::get_if<Restart>(&spec_.steps[i])) {
        credentials(step_field(i, ".restart.triggers"), restart->triggers);
        triggers(step_field(i, ".restart.triggers"), restart->triggers);
      }
    }
    meetings();
    return std::move(out_);
  }

 private:
  // Rule 5.1: any kind may own pods, but one that nobody knows is probably misspelled.
  void kind() {
    const std::string doubt = spec_.target.workload ? doubt_of_kind(spec_.target.workload->kind) : "";
    if (!doubt.empty())
      out_.push_back(
          {"spec.target.workload.kind", doubt + ": correct it, unless something of that kind owns the pods"});
  }

  // A misspelled one syncs nothing, for ever and in silence.
  void source(std::size_t step, const std::string& from) {
    if (!host_ || host_->type(from)) return;
    out_.push_back({step_field(step, ".sync.from"),
                    from +
                        " is no file or folder of the root that can be read, so nothing is synced from it: "
                        "correct it, unless it is made later"});
  }

  // Rule 2.8.
  void credentials(const std::string& field, const std::vector<std::string>& texts) {
    for (std::size_t k = 0; k < texts.size(); ++k) {
      const std::string path = clean_path(texts[k]);
      if (!rules_ || is_glob(texts[k]) || !rules_->check(path).held_back()) continue;
      out_.push_back({field + "[" + std::to_string(k) + "]",
                      path +
                          " looks like a credential and stays on the machine, so it never fires: list it in "
                          "spec.source.credentials"});
    }
  }

  // Rule 1.6.
  void triggers(const std::string& field, const std::vector<std::string>& texts) {
    for (std::size_t k = 0; k < texts.size(); ++k) {
      const std::string path = clean_path(texts[k]);
      if (is_glob(texts[k]) || !in_context(path, context_)) continue;
      const bool syncs_inside = std::ranges::any_of(
          mapping_.routes(), [&](const Route& route) { return at_or_below(route.from, path); });
      if (mapping_.route(path) || syncs_inside) continue;
      out_.push_back({field + "[" + std::to_string(k) + "]",
                      "no sync covers " + path +
                          ", so its change falls back instead of firing this: add a sync for it"});
    }
  }

  // Rule 3.3: for each sync the first earlier one whose files can land where its own do.
  void meetings() {
    const auto& routes = mapping_.routes();
    for (std::size_t later = 1; later < routes.size(); ++later) {
      if (mapping_.route(routes[later].from) != &routes[later]) continue;  // an earlier one takes all of it
      for (std::size_t first = 0; first < later; ++first) {
        const auto meeting = meeting_of(routes[first], routes[later]);
        if (!meeting) continue;
        out_.push_back({step_field(static_cast<std::size_t>(routes[later].step), ".sync.to"),
                        meeting->of_first + " and " + meeting->of_later + " can both go to " +
                            meeting->remote + ", where the sync declared first, spec.steps[" +
                            std::to_string(routes[first].step) + "], wins: give each a place of its own"});
        break;
      }
    }
  }

  // Two host paths that go to one place.
  struct Meeting {
    std::string of_first, of_later, remote;
  };

  std::optional<Meeting> meeting_of(const Route& first, const Route& later) const {
    for (const bool a : may_be(first)) {
      for (const bool b : may_be(later)) {
        const std::string to_first = first.remote(first.from, a), to_later = later.remote(later.from, b);
        if (to_first == to_later) return Meeting{first.from, later.from, to_first};
        if (a && strictly_below(to_later, to_first)) {
          const std::string path = join_path(first.from, relative_to(to_later, first.to));
          if (path != later.from && may_exist(first, path)) return Meeting{path, later.from, to_later};
        }
        if (b && strictly_below(to_first, to_later)) {
          const std::string path = join_path(later.from, relative_to(to_first, later.to));
          if (path != first.from && may_exist(later, path)) return Meeting{first.from, path, to_first};
        }
      }
    }
    return std::nullopt;
  }

  // Whether `from` is a folder: what the disk says, else what its name does.
  std::vector<bool> may_be(const Route& route) const {
    const auto type = host_ ? host_->type(route.from) : std::nullopt;
    if (type) return {*type == FileType::Directory};
    const auto dot = base_name(route.from).rfind('.');
    const bool named_as_a_file = route.into && dot != std::string_view::npos && dot > 0;
    return named_as_a_file ? std::vector{false} : std::vector{true, false};
  }

  // Whether a path can be there that goes through this sync. A folder on the disk tells; without one all can be.
  bool may_exist(const Route& route, const std::string& path) const {
    if (mapping_.route(path) != &route) return false;
    return !host_ || !host_->type(route.from) || host_->type(path);
  }

  const LiveUpdateSpec& spec_;
  const HostTree* host_;
  const std::expected<IgnoreRules, std::vector<FieldError>> rules_;
  const Mapping mapping_;
  const std::vector<std::string> context_;
  std::vector<FieldError> out_;
};

}  // namespace

std::vector<FieldError> warnings(const LiveUpdateSpec& spec, const HostTree* host) {
  return Warner(spec, host).warn();
}

}  // namespace live_update
