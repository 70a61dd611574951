// Text that others wrote: what of it is UTF-8, and how it is made fit for messages, statuses and terminals. Pure.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace live_update {

// Well-formed UTF-8: no overlong forms, no surrogates (rule 2.1).
bool is_utf8(std::string_view bytes);

// The character at `at`, which it moves behind it. A byte that begins no well-formed character is returned as
// kNoCharacter.
inline constexpr char32_t kNoCharacter = 0x110000;
char32_t next_character(std::string_view text, std::size_t& at);

// `bytes` with every byte that is not part of well-formed UTF-8 replaced by U+FFFD.
std::string to_utf8(std::string_view bytes);

// The end of a text that is longer than a status message may be (32 KiB in the CRDs), cut between characters;
// else all of it.
std::string status_message(std::string_view text);

// Valid UTF-8 without control characters other than newline and tab, and without terminal escape sequences; a
// carriage return ends a line. Bytes that are not UTF-8 become U+FFFD. Trailing white space is dropped.
std::string clean(std::string_view bytes);
// The beginning of what somebody in a container says, for a message or the log: at most 1 KiB of it, clean.
std::string clean_start(std::string_view bytes);

}  // namespace live_update
