#include "test/bench/tight_reader.h"

#include "test/bench/sealed.h"

namespace live_update::bench {

TightReader::TightReader(std::string path, std::size_t size)
    : path_(std::move(path)), size_(size), thread_([this] { run(); }) {}

void TightReader::stop() {
  stopping_ = true;
  if (thread_.joinable()) thread_.join();
}

void TightReader::run() {
  std::string content, last;
  while (!stopping_) {
    ++reads;
    if (!read_file(path_, content, size_ + 1)) {
      ++missing;
    } else if (content != last) {
      torn += !is_whole(content, size_);
      ++contents;
      std::swap(content, last);
    }
  }
}

}  // namespace live_update::bench
