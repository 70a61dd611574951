// Text that others wrote: what of it is UTF-8, and how it is made fit for messages, statuses and terminals. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace live_update {

// Well-formed UTF-8: no overlong forms, no surrogates (rule 2.1).
bool is_utf8(std::string_view bytes);

// The character at `at`, which it moves behind it. A byte that begins no well-formed character is returned as
// kNoCharacter.
inline constexpr char32_t kNoCharacter = 0x110000;
char32_t next_character(std::string_view text, std::size_t& at);

// How many there are; a byte that belongs to none counts as one.
std::size_t count_characters(std::string_view text);

// Text that others wrote, as one line (rule 8.4): control characters, those that turn the direction of writing
// or separate lines, and bytes that are not UTF-8 become \x1b, \u202e, \xff. The rest comes back as it is.
std::string visible(std::string_view text);
// The same for text of several lines: those after the first begin with "  | ", so that none looks like one of ours.
std::string visible_lines(std::string_view text);
// As `visible`, but newlines and tabs stay: for text that was put together, at the place where it leaves us.
std::string printable(std::string_view text);
// A JSON text, or one of YAML whose strings are in double quotes, of the same meaning, fit for a terminal.
std::string visible_json(std::string_view text);

// `bytes` with every byte that is not part of well-formed UTF-8 replaced by U+FFFD.
std::string to_utf8(std::string_view bytes);

// The end of a text that is longer than a status message may be (32 KiB in the CRDs), cut between characters;
// else all of it; printable.
std::string status_message(std::string_view text);

// What a program has printed, to be read as text: valid UTF-8 without terminal escape sequences and all else that
// `visible` would escape, other than newline and tab; a carriage return ends a line. Bytes that are not UTF-8
// become U+FFFD. Trailing white space is dropped.
std::string clean(std::string_view bytes);
// The beginning of what somebody in a container says, for a message or the log: at most 1 KiB of it, clean and one
// line.
std::string clean_start(std::string_view bytes);

// The number that a text begins with; 0 if there is none.
std::int64_t to_number(std::string_view text);

}  // namespace live_update
