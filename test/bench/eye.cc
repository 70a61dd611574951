// The eye of scripts/bench: makes the saves, and sees them arrive in the containers, in one process, so that
// nothing stands between the close() of a save and the look at the other end.
//
// One command per line on stdin:
//   roots PATH...               the containers, as /proc/PID/root
//   file HOST REMOTE SIZE       the next save writes a new content of SIZE bytes to HOST, awaited at REMOTE
//   gone HOST REMOTE            the next save removes HOST and all below; awaited: nothing at REMOTE
//   line LOG TEXT               the next save is over only when LOG has a new TEXT, too
//   save inplace|rename SECONDS does it; answers  seen FIRST LAST LINE  in ms, or  lost WHAT
//   still                       whether what the last save led to is still there: yes or no
//   read PATH SIZE, stop        a tight reader of one file; stop answers  READS TORN MISSING CONTENTS
//   tree PATH                   DIGEST ENTRIES CHANGED
// Names have no white space, except TEXT. Commands without an answer above answer "ok".
#include <fcntl.h>
#include <unistd.h>

#include <filesystem>
#include <iomanip>
#include <iostream>
#include <memory>
#include <sstream>

#include "test/bench/sealed.h"
#include "test/bench/sight.h"
#include "test/bench/tight_reader.h"
#include "test/bench/tree_digest.h"

namespace live_update::bench {
namespace {

class Eye {
 public:
  explicit Eye(std::uint64_t seed) : random_(seed) {}

  std::string obey(std::istringstream words) {
    std::string word, host, remote;
    words >> word;
    if (word == "roots") return roots(words);
    if (word == "file" || word == "gone") {
      std::size_t size = 0;
      words >> host >> remote >> size;
      next_.push_back(host);
      expected_.push_back(
          {remote, word == "file" ? std::optional(sealed_content(size, random_)) : std::nullopt});
      return "ok";
    }
    if (word == "line") {
      words >> host;
      std::getline(words >> std::ws, remote);
      return sight_.await_line(host, remote), "ok";
    }
    if (word == "save") {
      double seconds = 10;
      words >> host >> seconds;
      return save(host == "rename", std::chrono::duration<double>(seconds));
    }
    if (word == "still") return sight_.still() ? "yes" : "no";
    if (word == "read") {
      std::size_t size = 0;
      words >> host >> size;
      reader_ = std::make_unique<TightReader>(host, size);
      return "ok";
    }
    if (word == "stop") return stop();
    if (word == "tree") return words >> host, tree(host);
    return "failed: no such command: " + word;
  }

 private:
  std::string roots(std::istringstream& words) {
    std::vector<std::string> roots;
    for (std::string root; words >> root;) roots.push_back(root);
    return sight_.roots(std::move(roots)), "ok";
  }

  std::string save(bool rename, std::chrono::duration<double> patience) {
    sight_.arm(expected_);
    for (std::size_t i = 0; i < next_.size(); ++i)
      if (!change(next_[i], expected_[i].content, rename)) return "failed: cannot write " + next_[i];
    const auto saved = Clock::now();
    next_.clear();
    expected_.clear();
    const auto seen = sight_.wait(saved, std::chrono::duration_cast<Clock::duration>(patience));
    if (!seen) return "lost " + sight_.lost();
    std::ostringstream answer;
    answer << "seen " << seen->first << " " << seen->last << " " << seen->said;
    return answer.str();
  }

  static bool change(const std::string& path, const std::optional<std::string>& content, bool rename) {
    std::error_code error;
    if (!content) return std::filesystem::remove_all(path, error) > 0;
    const std::string to = rename ? path + "~" : path;  // a name that editors use and everybody ignores
    const int fd = ::open(to.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    const bool written = fd >= 0 && ::write(fd, content->data(), content->size()) == std::ssize(*content);
    if (fd >= 0) ::close(fd);
    return written && (!rename || ::rename(to.c_str(), path.c_str()) == 0);
  }

  std::string stop() {
    if (!reader_) return "failed: nothing is read";
    reader_->stop();
    std::ostringstream answer;
    answer << reader_->reads << " " << reader_->torn << " " << reader_->missing << " " << reader_->contents;
    reader_.reset();
    return answer.str();
  }

  static std::string tree(const std::string& path) {
    const TreeDigest found = digest_of_tree(path);
    std::ostringstream answer;
    answer << found.digest << " " << found.entries << " " << std::fixed << std::setprecision(6)
           << found.changed;
    return answer.str();
  }

  std::mt19937_64 random_;
  Sight sight_;
  std::vector<std::string> next_;
  std::vector<Expected> expected_;
  std::unique_ptr<TightReader> reader_;
};

}  // namespace
}  // namespace live_update::bench

int main(int argc, char** argv) {
  live_update::bench::Eye eye(argc > 1 ? std::stoull(argv[1]) : 1);
  for (std::string line; std::getline(std::cin, line);)
    std::cout << eye.obey(std::istringstream(line)) << std::endl;
}
