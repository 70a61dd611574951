#include "run/log.h"

#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include "core/base/text.h"

namespace live_update {

struct Log::Impl {
  spdlog::logger logger{"live-update", std::make_shared<spdlog::sinks::stderr_sink_mt>()};
  void write(spdlog::level::level_enum level, std::string_view message, Fields fields) {
    if (logger.should_log(level)) logger.log(level, "{}", format_fields(message, fields));
  }
};

Log::Log(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Log::~Log() = default;

Result<std::unique_ptr<Log>> Log::create(const std::string& level) {
  const auto parsed = spdlog::level::from_str(level);
  if (parsed == spdlog::level::off)
    return fail(ErrorKind::Invalid, "log level \"" + level + "\": use debug, info, warn or error");
  auto impl = std::make_unique<Impl>();
  impl->logger.set_level(parsed);
  impl->logger.set_pattern(R"({"time":"%Y-%m-%dT%H:%M:%S.%fZ","level":"%l",%v})",
                           spdlog::pattern_time_type::utc);
  impl->logger.flush_on(spdlog::level::debug);
  return std::unique_ptr<Log>(new Log(std::move(impl)));
}

void Log::debug(std::string_view message, Fields fields) {
  impl_->write(spdlog::level::debug, message, fields);
}
void Log::info(std::string_view message, Fields fields) {
  impl_->write(spdlog::level::info, message, fields);
}
void Log::warn(std::string_view message, Fields fields) {
  impl_->write(spdlog::level::warn, message, fields);
}
void Log::error(std::string_view message, Fields fields) {
  impl_->write(spdlog::level::err, message, fields);
}

std::string format_fields(std::string_view message, Log::Fields fields) {
  rapidjson::StringBuffer buffer;
  rapidjson::Writer<rapidjson::StringBuffer> writer(buffer);
  auto add = [&](std::string_view key, std::string_view value) {
    writer.Key(key.data(), static_cast<rapidjson::SizeType>(key.size()));
    writer.String(value.data(), static_cast<rapidjson::SizeType>(value.size()));
  };
  writer.StartObject();
  add("msg", message);
  for (const auto& [key, value] : fields) add(key, value);
  writer.EndObject();
  return visible_json({buffer.GetString() + 1, buffer.GetSize() - 2});
}

}  // namespace live_update
