// Contents that no save before had, and that say of themselves whether they are whole: a hash, then random
// text that no compression makes much smaller.
#pragma once

#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <string_view>

namespace live_update::bench {

// FNV-1a; pass the result of one piece to hash the next one.
std::uint64_t hash_of(std::string_view data, std::uint64_t before = 0xcbf29ce484222325);

// `size` bytes, at least 16.
std::string sealed_content(std::size_t size, std::mt19937_64& random);

// Whether this is what sealed_content once made, not less and not a mixture of two.
bool is_whole(std::string_view content, std::size_t size);

// Reads a file into `into`, at most `most` bytes; false with errno where that cannot be done.
bool read_file(const std::string& path, std::string& into, std::size_t most);

}  // namespace live_update::bench
