#include "operator/exec/script_note.h"

namespace live_update {

Noted find_note(std::string_view err) {
  constexpr std::string_view kMark = "live-update: ", kUid = " uid=";
  Noted noted;
  const std::size_t line = err.find("\nlive-update: ");
  const std::size_t at = err.starts_with(kMark) ? 0 : line == std::string_view::npos ? line : line + 1;
  const std::size_t uid = at == std::string_view::npos ? at : err.find(kUid, at);
  if (uid == std::string_view::npos) return {false, {}, std::string(err)};
  std::string_view rest = err.substr(uid + kUid.size());
  const std::size_t space = rest.find(' ');
  if (space == std::string_view::npos) return {false, {}, std::string(err)};
  noted.found = true;
  noted.note.word = err.substr(at + kMark.size(), uid - at - kMark.size());
  noted.note.uid = rest.substr(0, space);
  rest.remove_prefix(space + 1);
  if (rest.ends_with('\n')) rest.remove_suffix(1);
  noted.note.path = rest;
  noted.rest = err.substr(0, at);
  return noted;
}

void take_lines(std::string& err, std::string_view mark, const std::function<void(std::string)>& take) {
  for (std::size_t at = err.find(mark); at != std::string::npos; at = err.find(mark, at)) {
    const std::size_t end = err.find('\n', at);
    if (end == std::string::npos) return;
    take(err.substr(at + mark.size(), end - at - mark.size()));
    err.erase(at, end + 1 - at);
  }
}

}  // namespace live_update
