// Reads one file over and over, as fast as it can, in a thread of its own: sees every moment at which it is
// missing or not whole.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <thread>

namespace live_update::bench {

class TightReader {
 public:
  // The file's contents are sealed ones (sealed.h) of this size, and it is there already.
  TightReader(std::string path, std::size_t size);
  ~TightReader() { stop(); }
  void stop();

  // After stop().
  std::uint64_t reads = 0, torn = 0, missing = 0, contents = 0;

 private:
  void run();

  std::string path_;
  std::size_t size_;
  std::atomic<bool> stopping_ = false;
  std::thread thread_;
};

}  // namespace live_update::bench
