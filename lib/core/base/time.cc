#include <cstdio>

#include "core/base/time.h"

namespace live_update {
namespace {

using std::chrono::microseconds;

// Takes exactly `count` digits from the front.
bool take_digits(std::string_view& text, int count, int& out) {
  if (text.size() < static_cast<std::size_t>(count)) return false;
  out = 0;
  for (int i = 0; i < count; ++i) {
    if (text[i] < '0' || text[i] > '9') return false;
    out = out * 10 + (text[i] - '0');
  }
  text.remove_prefix(count);
  return true;
}

bool take(std::string_view& text, std::string_view any_of) {
  if (text.empty() || any_of.find(text.front()) == std::string_view::npos) return false;
  text.remove_prefix(1);
  return true;
}

// ".123456789": what is finer than a microsecond is cut off.
bool take_fraction(std::string_view& text, microseconds& out) {
  if (!take(text, ".")) return true;
  int digit = 0, digits = 0, value = 0;
  for (; take_digits(text, 1, digit); ++digits) {
    if (digits < 6) value = value * 10 + digit;
  }
  for (int i = digits; i < 6; ++i) value *= 10;
  out = microseconds(value);
  return digits > 0;
}

bool take_zone(std::string_view& text, std::chrono::minutes& offset) {
  if (take(text, "Zz")) return true;
  const bool minus = !text.empty() && text.front() == '-';
  int hours = 0, minutes = 0;
  if (!take(text, "+-") || !take_digits(text, 2, hours) || !take(text, ":") ||
      !take_digits(text, 2, minutes)) {
    return false;
  }
  if (hours > 23 || minutes > 59) return false;
  offset = std::chrono::minutes((minus ? -1 : 1) * (hours * 60 + minutes));
  return true;
}

}  // namespace

std::string format_time(Time time) {
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(time - day);
  char text[64];
  std::snprintf(text, sizeof text, "%04d-%02u-%02uT%02d:%02d:%02d.%06dZ", static_cast<int>(date.year()),
                static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                static_cast<int>(clock.hours().count()), static_cast<int>(clock.minutes().count()),
                static_cast<int>(clock.seconds().count()), static_cast<int>(clock.subseconds().count()));
  return text;
}

Result<Time> parse_time(std::string_view text) {
  int year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0;
  microseconds fraction{0};
  std::chrono::minutes offset{0};
  std::string_view rest = text;
  const bool shaped = take_digits(rest, 4, year) && take(rest, "-") && take_digits(rest, 2, month) &&
                      take(rest, "-") && take_digits(rest, 2, day) && take(rest, "Tt") &&
                      take_digits(rest, 2, hour) && take(rest, ":") && take_digits(rest, 2, minute) &&
                      take(rest, ":") && take_digits(rest, 2, second) && take_fraction(rest, fraction) &&
                      take_zone(rest, offset) && rest.empty();
  const std::chrono::year_month_day date{std::chrono::year(year), std::chrono::month(month),
                                         std::chrono::day(day)};
  if (!shaped || !date.ok() || hour > 23 || minute > 59 || second > 60) {
    return fail(ErrorKind::Invalid, "is not an RFC 3339 time such as 2026-01-31T12:00:00.123456Z");
  }
  return std::chrono::sys_days(date) + std::chrono::hours(hour) + std::chrono::minutes(minute) +
         std::chrono::seconds(second) + fraction - offset;
}

}  // namespace live_update
