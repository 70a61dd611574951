// The operator's log: one JSON object per line on standard error, with time, level, message and named fields.
//
// Any thread. Never pass secrets: tokens, file contents.
#pragma once

#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/result.h"

namespace live_update {

class Log {
 public:
  using Field = std::pair<std::string_view, std::string>;
  // A list in braces, or a vector.
  class Fields : public std::span<const Field> {
   public:
    Fields() = default;
    Fields(std::initializer_list<Field> list) : span(list.begin(), list.size()) {}
    Fields(const std::vector<Field>& list) : span(list) {}
  };

  // `level`: debug, info, warn or error. Invalid otherwise.
  static Result<std::unique_ptr<Log>> create(const std::string& level);
  ~Log();

  void debug(std::string_view message, Fields fields = {});
  void info(std::string_view message, Fields fields = {});
  void warn(std::string_view message, Fields fields = {});
  void error(std::string_view message, Fields fields = {});

 private:
  struct Impl;
  explicit Log(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// The inside of the JSON object: "msg":"...","key":"..." with everything escaped. Pure, for tests.
std::string format_fields(std::string_view message, Log::Fields fields);

}  // namespace live_update
