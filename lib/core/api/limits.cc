#include "core/api/limits.h"

#include <cstdint>

#include "core/base/text.h"

namespace live_update {
namespace {

// The bounds of crds/liveupdate.yaml; a test compares them.
class Bounds {
 public:
  std::vector<FieldError> check(const LiveUpdate& live_update) {
    const LiveUpdateSpec& spec = live_update.spec;
    if (live_update.meta.name.size() > 63) {
      errors_.push_back(
          {"metadata.name",
           "must be at most 63 characters, as it becomes a label value: choose a shorter name"});
    }
    list("spec.source.context", spec.source.context.value_or(std::vector<std::string>{}), 24, 256);
    list("spec.source.ignore", spec.source.ignore, 256, 1024);
    text("spec.source.ignoreFile", spec.source.ignore_file, 1024);
    list("spec.source.credentials", spec.source.credentials, 32, 512);
    entries("spec.steps", spec.steps.size(), 64);
    for (std::size_t i = 0; i < spec.steps.size(); ++i) {
      const std::string field = "spec.steps[" + std::to_string(i) + "].";
      std::visit([&](const auto& step) { this->step(field, step); }, spec.steps[i]);
    }
    if (spec.fall_back.build) list("spec.fallBack.build.command", spec.fall_back.build->command, 256, 8192);
    return std::move(errors_);
  }

 private:
  void step(const std::string&, const InitialSync&) {}
  void step(const std::string& field, const FallBackOn& it) {
    list(field + "fallBackOn.paths", it.paths, 32, 512);
  }
  void step(const std::string& field, const Sync& it) {
    text(field + "sync.from", it.from, 512);
    text(field + "sync.to", it.to, 1024);
  }
  void step(const std::string& field, const Run& it) {
    list(field + "run.command", it.command, 256, 8192);
    text(field + "run.shell", it.shell, 16384);
    list(field + "run.triggers", it.triggers, 32, 512);
    text(field + "run.workingDir", it.working_dir, 1024);
  }
  void step(const std::string& field, const Restart& it) {
    list(field + "restart.triggers", it.triggers, 32, 512);
  }

  void entries(const std::string& field, std::size_t count, std::size_t most) {
    if (count > most) {
      errors_.push_back(
          {field, "must have at most " + std::to_string(most) + " entries, has " + std::to_string(count)});
    }
  }
  void text(const std::string& field, const std::string& value, std::size_t most) {
    const std::size_t characters = count_characters(value);
    if (characters > most) {
      errors_.push_back({field, "must be at most " + std::to_string(most) + " characters long, is " +
                                    std::to_string(characters)});
    }
  }
  void list(const std::string& field, const std::vector<std::string>& values, std::size_t most,
            std::size_t longest) {
    entries(field, values.size(), most);
    for (std::size_t i = 0; i < values.size(); ++i)
      text(field + "[" + std::to_string(i) + "]", values[i], longest);
  }

  std::vector<FieldError> errors_;
};

}  // namespace

std::vector<FieldError> limits(const LiveUpdate& live_update) { return Bounds().check(live_update); }

}  // namespace live_update
