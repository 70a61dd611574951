#include "test/bench/sealed.h"

#include <fcntl.h>
#include <unistd.h>

namespace live_update::bench {
namespace {

constexpr std::size_t kSeal = 16;

std::string hex(std::uint64_t number) {
  std::string out(kSeal, '0');
  for (std::size_t i = kSeal; i-- > 0; number >>= 4) out[i] = "0123456789abcdef"[number & 15];
  return out;
}

}  // namespace

std::uint64_t hash_of(std::string_view data, std::uint64_t before) {
  for (const char c : data) before = (before ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return before;
}

std::string sealed_content(std::size_t size, std::mt19937_64& random) {
  std::string rest;
  while (rest.size() + kSeal < size) rest += hex(random());
  rest.resize(size - kSeal);
  return hex(hash_of(rest)) + rest;
}

bool is_whole(std::string_view content, std::size_t size) {
  return content.size() == size && content.substr(0, kSeal) == hex(hash_of(content.substr(kSeal)));
}

bool read_file(const std::string& path, std::string& into, std::size_t most) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  into.resize(most);
  std::size_t size = 0;
  ssize_t got = 0;
  while (size < most && (got = ::read(fd, into.data() + size, most - size)) > 0)
    size += static_cast<std::size_t>(got);
  ::close(fd);
  into.resize(size);
  return got >= 0;
}

}  // namespace live_update::bench
