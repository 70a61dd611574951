// The whole agent (agent/session.h) in this process, on a directory of its own, with an operator that means
// no good.
//
// An input is a list of frames: type (the high bit: `last`), u16 size, payload. Numbers and checksums are
// made here, so that mutations reach what is behind them. What would rightly leave the directory is tamed:
// roots and link targets lie in it, commands do not exist, nothing gets a signal. Then, whatever came: what
// is outside of the roots stays, no temporary name is left, without a `Confirmed` all is as before, and the
// operator can read every answer.
#include <sys/mman.h>
#include <sys/stat.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "agent/files/content.h"
#include "agent/files/temp_name.h"
#include "agent/session.h"
#include "test/fakes/temp_tree.h"
#include "test/fuzz/agent_protocol_fuzz.h"
#include "test/fuzz/input_frames.h"

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t most);

namespace live_update::agent {
namespace {

namespace fs = std::filesystem;

// A container's file system. Deep, so that a few `..` more than intended do not lead to anybody else's files.
class Place {
 public:
  Place() : base_(tree_.at("1/2/3/4/5/6/7/8/9")) {
    must(!base_.starts_with("/dev/"));  // that belongs to the system: every batch would be refused
    setenv("LIVE_UPDATE_SUPERVISOR", base_.c_str(), 1);
    setenv("LIVE_UPDATE_FENCE", base_.c_str(), 1);
    rebuild();
  }
  std::string at(const std::string& path) const { return base_ + '/' + path; }
  std::string root(std::string_view wish) const {
    constexpr std::array kRoots = {"app", "app/d", "app/f", "app/new/deep", "app/l", "app/x"};
    return at(kRoots[wish.empty() ? 0 : static_cast<std::uint8_t>(wish.back()) % kRoots.size()]);
  }
  const std::string& before() const { return before_; }
  // Everything there: names, kinds, modes, contents.
  std::string look() const {
    std::vector<std::string> all;
    for (const auto& entry : fs::recursive_directory_iterator(base_)) {
      const auto path = entry.path().lexically_relative(base_).string();
      must(!is_temp_name(entry.path().filename().string()));
      struct stat there{};
      lstat(entry.path().c_str(), &there);
      std::ostringstream line;
      line << path << ' ' << std::oct << there.st_mode << ' ';
      if (S_ISLNK(there.st_mode)) line << fs::read_symlink(entry.path()).string();
      if (S_ISREG(there.st_mode))
        line << there.st_mtim.tv_sec << ' ' << std::ifstream(entry.path(), std::ios::binary).rdbuf();
      all.push_back(line.str() + '\n');
    }
    std::ranges::sort(all);
    std::string text;
    for (const auto& line : all) text += line;
    return text;
  }
  void rebuild() {
    fs::remove_all(base_);
    const std::string in = "1/2/3/4/5/6/7/8/9/";
    tree_.write(in + "outside/secret", "secret");
    tree_.write(in + "app/f", "old");
    tree_.write(in + "app/d/g", "old");
    tree_.write(in + "app/d/e/h", "old");
    tree_.mkdir(in + "app/empty");
    tree_.link(in + "app/l", "d");
    tree_.link(in + "app/out", "../outside");
    before_ = look();
  }

 private:
  TempTree tree_;
  std::string base_, before_;
};

Digest sha256(std::string_view bytes) {
  Sha256 sha;
  sha.add(bytes);
  return sha.finish();
}

void tame(const Place& place, std::string& root) {
  if (valid_root(root)) root = place.root(root);
}

void tame(const Place& place, Request& request) {
  if (auto* begin = std::get_if<Begin>(&request)) {
    for (auto& root : begin->roots) tame(place, root);
  } else if (auto* have = std::get_if<Have>(&request)) {
    tame(place, have->root);
  } else if (auto* list = std::get_if<List>(&request)) {
    tame(place, list->root);
  } else if (auto* run = std::get_if<Run>(&request)) {
    run->argv[0] = "/no/such/program";
  } else if (auto* restart = std::get_if<Restart>(&request)) {
    restart->how = RestartHow::Process;
  } else if (auto* link = std::get_if<Symlink>(&request); link && link->target[0] == '/') {
    link->target = place.at("outside") + link->target;
  } else if (auto* directory = std::get_if<Directory>(&request)) {
    directory->mode |= 0700;
  } else if (auto* file = std::get_if<File>(&request)) {
    file->mode |= 0600;
  }
}

// A digest of zeros stands for the right one, which no mutation finds.
void promise(std::vector<Request>& all) {
  File* file = nullptr;
  std::string content;
  for (auto& request : all) {
    if (auto* head = std::get_if<File>(&request)) {
      file = head->digest == Digest{} ? head : nullptr;
      content.clear();
      if (file && (file->content == Content::Kept || file->size == 0))
        file->digest = sha256(file->content == Content::Kept ? "old" : "");
    } else if (const auto* data = std::get_if<Data>(&request); data && file && file->size != 0) {
      content += data->bytes;
      if (data->last) file->size = content.size(), file->digest = sha256(content);
    }
  }
}

Fd memory(std::string_view bytes) {
  Fd fd(memfd_create("fuzz", MFD_CLOEXEC));
  must(write(fd.get(), bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()));
  lseek(fd.get(), 0, SEEK_SET);
  return fd;
}

// What the agent answers to this stream.
std::string session(std::string_view stream) {
  const auto in = memory(stream), out = memory("");
  sigset_t before;
  sigprocmask(SIG_SETMASK, nullptr, &before);
  Session(in.get(), out.get()).run();
  sigprocmask(SIG_SETMASK, &before, nullptr);
  std::string answers(static_cast<std::size_t>(lseek(out.get(), 0, SEEK_END)), '\0');
  must(pread(out.get(), answers.data(), answers.size(), 0) == static_cast<ssize_t>(answers.size()));
  return answers;
}

struct Heard {
  std::size_t answers = 0, confirmed = 0;
};

Heard listen(std::string_view bytes) {
  Heard heard;
  FrameReader reader(0);
  reader.feed(bytes);
  while (true) {
    const auto frame = reader.next();
    must(frame.has_value());
    if (!*frame) break;
    const auto answer = decode_answer(**frame);
    must(answer.has_value());
    const bool more = std::holds_alternative<Hello>(*answer) || std::holds_alternative<Warning>(*answer) ||
                      std::holds_alternative<RunOutput>(*answer);
    const auto* result = std::get_if<HaveResult>(&*answer);
    const auto* listing = std::get_if<Listing>(&*answer);
    if (!more && (!result || result->last) && (!listing || listing->last)) ++heard.answers;
    if (std::holds_alternative<Confirmed>(*answer)) ++heard.confirmed;
  }
  must(reader.at_boundary());
  return heard;
}

bool is_asked(const Request& request) {
  return std::holds_alternative<Begin>(request) || std::holds_alternative<Run>(request) ||
         std::holds_alternative<Restart>(request) || std::holds_alternative<Have>(request) ||
         std::holds_alternative<List>(request);
}

void test_one(std::string_view input) {
  static Place place;
  std::vector<Request> requests{Hello{}};
  const auto frames = input_frames(input);
  for (const auto& frame : frames) {
    auto request = decode_request(Frame{frame.type, frame.last, frame.payload});
    if (!request) continue;
    tame(place, *request);
    requests.push_back(std::move(*request));
  }
  promise(requests);
  FrameWriter writer;
  std::string stream;
  std::size_t asked = 1;  // and one answer to a mistake
  for (const auto& request : requests) writer.append(stream, request), asked += is_asked(request);
  const auto heard = listen(session(stream));
  must(heard.answers <= asked);
  const auto after = place.look();
  const auto outside = [](const std::string& text) { return text.substr(text.find("\noutside")); };
  must(outside(after) == outside(place.before()));
  if (heard.confirmed == 0) must(after == place.before());
  if (after != place.before()) place.rebuild();
}

}  // namespace
}  // namespace live_update::agent

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  std::size_t ups = 0;
  for (auto at = input.find(".."); at != input.npos; at = input.find("..", at + 1)) ++ups;
  if (ups <= 6) live_update::agent::test_one(input);
  return 0;
}

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t most,
                                               unsigned seed) {
  return live_update::agent::mutate_frames(data, size, most, seed, LLVMFuzzerMutate);
}
