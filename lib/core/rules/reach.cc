#include "core/rules/reach.h"

#include <algorithm>

#include "core/base/path.h"
#include "core/rules/mapping.h"
#include "core/rules/pattern.h"

namespace live_update {
namespace {

std::string joined(const std::vector<std::string>& texts) {
  std::string out;
  for (const std::string& text : texts) out += (out.empty() ? "" : ", ") + text;
  return out.empty() ? "nothing" : out;
}

std::string quoted(std::string_view text) { return '"' + std::string(text) + '"'; }

std::vector<std::string> sources_of(const LiveUpdateSpec& spec) {
  std::vector<std::string> out;
  for (const Step& step : spec.steps)
    if (const auto* sync = std::get_if<Sync>(&step)) out.push_back(clean_path(sync->from));
  return out;
}

std::string ignore_file_name(const SourceSpec& source) {
  return source.ignore_file.empty() ? ".dockerignore" : clean_path(source.ignore_file);
}

class Comparison {
 public:
  Comparison(const LiveUpdateSpec& ceiling, const LiveUpdateSpec& spec) : ceiling_(ceiling), spec_(spec) {}

  std::vector<FieldError> further() {
    context();
    sources();
    ignore();
    ignore_file();
    for (FieldError& it : credentials_beyond(ceiling_.source.credentials, spec_.source.credentials))
      out_.push_back(std::move(it));
    return std::move(out_);
  }

 private:
  void add(std::string field, std::string message) { out_.push_back({std::move(field), std::move(message)}); }

  void context() {
    const std::vector<std::string> before = context_of(ceiling_);
    const bool given = spec_.source.context && !spec_.source.context->empty();
    for (const std::string& path : context_of(spec_)) {
      if (in_context(path, before)) continue;
      add(given ? "spec.source.context" : "spec.steps",
          quoted(path) + " is watched, which is outside of " + joined(before));
    }
  }

  void sources() {
    const std::vector<std::string> before = sources_of(ceiling_);
    for (std::size_t i = 0; i < spec_.steps.size(); ++i) {
      const auto* sync = std::get_if<Sync>(&spec_.steps[i]);
      if (!sync || in_context(clean_path(sync->from), before)) continue;
      add("spec.steps[" + std::to_string(i) + "].sync.from",
          quoted(clean_path(sync->from)) + " is sent, which is outside of " + joined(before));
    }
  }

  void ignore() {
    const auto &before = ceiling_.source.ignore, &now = spec_.source.ignore;
    for (std::size_t i = 0; i < std::max(before.size(), now.size()); ++i) {
      const std::string field = "spec.source.ignore[" + std::to_string(i) + "]";
      const bool had = i < before.size(), has = i < now.size();
      if (had && !has) {
        add(field, quoted(trim(before[i])) + " is not ignored any more");
      } else if (had && trim(before[i]) != trim(now[i])) {
        return add(field, quoted(trim(now[i])) + " stands in the place of " + quoted(trim(before[i])));
      } else if (!had && trim(now[i]).starts_with('!')) {
        add(field, quoted(trim(now[i])) + " takes back what was ignored");
      }
    }
  }

  void ignore_file() {
    const std::string before = ignore_file_name(ceiling_.source), now = ignore_file_name(spec_.source);
    if (before != now) add("spec.source.ignoreFile", quoted(now) + " is read instead of " + quoted(before));
  }

  const LiveUpdateSpec &ceiling_, &spec_;
  std::vector<FieldError> out_;
};

}  // namespace

LiveUpdateSpec reach_of(const LiveUpdateSpec& spec) {
  LiveUpdateSpec out;
  out.source.context = context_of(spec);
  out.source.ignore = spec.source.ignore;
  out.source.ignore_file = spec.source.ignore_file;
  out.source.credentials = spec.source.credentials;
  for (const Step& step : spec.steps) {
    if (const auto* sync = std::get_if<Sync>(&step)) out.steps.push_back(*sync);
    if (std::holds_alternative<FallBackOn>(step)) out.steps.push_back(step);
  }
  return out;
}

std::vector<FieldError> reach_beyond(const LiveUpdateSpec& ceiling, const LiveUpdateSpec& spec) {
  return Comparison(ceiling, spec).further();
}

std::vector<FieldError> credentials_beyond(const std::vector<std::string>& ceiling,
                                           const std::vector<std::string>& allowed) {
  std::vector<FieldError> out;
  const bool retracts =
      std::ranges::any_of(ceiling, [](const auto& it) { return trim(it).starts_with('!'); });
  for (std::size_t i = 0; i < allowed.size(); ++i) {
    const bool same = std::ranges::find(ceiling, allowed[i]) != ceiling.end();
    if (trim(allowed[i]).starts_with('!') || (same && !(retracts && allowed != ceiling))) continue;
    out.push_back({"spec.source.credentials[" + std::to_string(i) + "]",
                   quoted(trim(allowed[i])) + " lets credentials out"});
  }
  return out;
}

}  // namespace live_update
