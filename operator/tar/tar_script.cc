#include "operator/tar/tar_script.h"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "core/api/signals.h"
#include "core/desired/changed_paths.h"
#include "core/desired/delivery.h"
#include "operator/tar/batch_script.h"
#include "operator/tar/tar_stream.h"

namespace live_update {
namespace {

constexpr std::string_view kOnTheWay =
    " is where a sync leads to, or on the way there, and no symbolic link is put there; let the link lead "
    "from "
    "another place, or sync what it points to";
constexpr std::size_t kArgumentOverhead = 10;  // "&command=" and a little

// $1: the working directory or "". $2: sequence. $3: changed paths. $4: how many. Then the command.
constexpr std::string_view kRunScript =
    R"sh(export LIVE_UPDATE_SEQUENCE="$2" LIVE_UPDATE_CHANGED="$3" LIVE_UPDATE_CHANGED_COUNT="$4"
[ -z "$1" ] || cd "$1" || exit 126
shift 4
leads() { [ "${3-}" = $$ ]; }
read -r live_update_stat 2>/dev/null </proc/$$/stat
live_update_group=group
if leads ${live_update_stat##*) }; then :
elif command -v setsid >/dev/null 2>&1; then set -- setsid "$@"
else live_update_group=single; fi
printf 'live-update: pid=%s %s\n' $$ $live_update_group >&2
unset live_update_stat live_update_group
exec "$@")sh";

// $1: -PID or PID.
constexpr std::string_view kKillScript = R"sh(kill -TERM "$1" 2>/dev/null
i=0
while kill -0 "$1" 2>/dev/null && [ $i -lt 5 ]; do sleep 1; i=$((i+1)); done
kill -KILL "$1" 2>/dev/null
exit 0)sh";

// $1: signal name. $2: its number. Process 1 is known to be the container's own if it sees the very mount that
// we see first: the number of a mount is its own in the whole system, and everybody may read it. A /proc of
// another PID namespace has another number for us.
constexpr std::string_view kSignalScript = R"sh(export LC_ALL=C
fail() { printf 'live-update: %s uid=%s %s\n' "$1" "$(id -u 2>/dev/null || echo unknown)" "$2" >&2; exit 181; }
name= caught= first= own= self=
{ read -r name </proc/1/comm; read -r first _ </proc/1/mountinfo
read -r own _ </proc/self/mountinfo; read -r self _ </proc/self/stat; } 2>/dev/null
[ -n "$own" ] && [ "$own" = "$first" ] && [ "$self" = $$ ] || fail pid1 "$name"
[ ! -r /proc/1/status ] || while read -r key value; do
  [ "$key" != SigCgt: ] || caught=${value#????????}
done </proc/1/status
[ -z "$caught" ] || [ $(( 0x$caught >> ($2 - 1) & 1 )) = 1 ] || fail unhandled "$name"
kill -s "$1" 1 || fail kill "$name")sh";

Argv shell(std::string_view script, Argv arguments) {
  Argv argv{"sh", "-c", std::string(script), "live-update"};
  argv.insert(argv.end(), std::make_move_iterator(arguments.begin()),
              std::make_move_iterator(arguments.end()));
  return argv;
}

std::string parent(const std::string& path) { return path.substr(0, path.rfind('/')); }  // "" for the root

bool below(const std::string& path, const std::string& directory) {
  if (directory == "/") return path.size() > 1;
  return path.size() > directory.size() && path.starts_with(directory) && path[directory.size()] == '/';
}

// Absolute, and no component empty, "." or "..".
bool clean_path(const std::string& path) {
  if (!path.starts_with('/') || path.find('\0') != std::string::npos) return false;
  if (path == "/") return true;
  for (std::size_t at = 0; at < path.size();) {
    const std::size_t end = std::min(path.find('/', at + 1), path.size());
    const std::string_view part(path.data() + at + 1, end - at - 1);
    if (part.empty() || part == "." || part == "..") return false;
    at = end;
  }
  return true;
}

// Parents before what is below them, and that right after them, whatever bytes the names have.
bool by_component(const std::string& a, const std::string& b) {
  const auto [x, y] = std::mismatch(a.begin(), a.end(), b.begin(), b.end());
  const auto key = [](auto at, const std::string& in) {
    return at == in.end() ? -1 : *at == '/' ? 0 : static_cast<unsigned char>(*at) + 1;
  };
  return key(x, a) < key(y, b);
}

// Collects what the script must look at, and refuses what it must never see.
class Survey {
 public:
  Result<> take(const Delivery& delivery) {
    for (const DeliveryWrite& write : delivery.writes) {
      if (write.type != FileType::Directory) ends_.insert(write.to);
      roots_.insert(write.root);
    }
    for (const RemoteDelete& gone : delivery.deletes) roots_.insert(gone.root);
    for (const DeliveryWrite& write : delivery.writes) {
      if (auto result = take_write(write); !result) return result;
    }
    for (const RemoteDelete& gone : delivery.deletes) {
      if (auto result = take_delete(gone); !result) return result;
    }
    for (const DeliveryWrite& write : delivery.writes)
      if (write.type == FileType::Symlink && leads_to_root(write.to))
        return fail(ErrorKind::Invalid, write.to + std::string(kOnTheWay));
    return {};
  }
  std::vector<std::pair<std::string, std::string>> kinds() const {
    std::vector<std::pair<std::string, std::string>> sorted(kinds_.begin(), kinds_.end());
    std::ranges::sort(sorted, by_component, [](const auto& it) -> const std::string& { return it.first; });
    return sorted;
  }
  // The deepest first.
  using Deletes = std::vector<const RemoteDelete*>;
  Deletes deleted_files() const { return deepest_first(files_); }
  Deletes deleted_directories() const { return deepest_first(directories_); }
  bool with_tar() const { return with_tar_; }

 private:
  // Rule 4.3: what is written by that sync would land elsewhere.
  bool leads_to_root(const std::string& to) const {
    return std::ranges::any_of(roots_, [&](const auto& root) { return root == to || below(root, to); });
  }

  Result<> take_write(const DeliveryWrite& write) {
    if (auto inside = confined(write.to, write.root, write.type == FileType::Directory); !inside)
      return inside;
    if (under_an_end(write.to)) {
      return fail(ErrorKind::Invalid,
                  write.to +
                      " lies below a path that is a file or a symbolic link in the same batch; "
                      "two syncs map to it, change one of their `to`");
    }
    const bool is_root = write.to == write.root;
    if (!is_root) take_parents(write.to, write.root, "on");
    if (!is_held(write)) {
      set(write.to, "mode/" + octal(write.mode) + "/" + write.digest.substr(write.digest.find(':') + 1));
    } else if (write.type == FileType::Directory) {
      set(write.to, is_root ? "mkdir" : "dir");
    } else {
      set(write.to, is_root ? "only" : "file");
    }
    with_tar_ |= is_held(write) && !(is_root && write.type == FileType::Directory);
    return {};
  }

  Result<> take_delete(const RemoteDelete& gone) {
    if (auto inside = confined(gone.to, gone.root, true); !inside) return inside;
    // What is written in the place of it or of its directory takes it away (it may be there already: a batch
    // can come twice).
    if (ends_.contains(gone.to) || under_an_end(gone.to)) return {};
    if (gone.to != gone.root) take_parents(gone.to, gone.root, "off");
    const auto written = kinds_.find(gone.to);
    if (written == kinds_.end() || written->second == "off")
      (gone.type == FileType::Directory ? directories_ : files_).push_back(&gone);
    else if (written->second == "on")
      written->second = "anew";
    return {};
  }

  static Deletes deepest_first(Deletes sorted) {
    std::ranges::sort(sorted, std::ranges::greater{}, &RemoteDelete::to);
    return sorted;
  }

  static Result<> confined(const std::string& to, const std::string& root, bool may_be_slash) {
    if (!clean_path(to) || !clean_path(root) || (to == "/" && !may_be_slash)) {
      return fail(ErrorKind::Invalid, "\"" + to + "\" in \"" + root + "\" is not a clean absolute path");
    }
    if (to == root || below(to, root)) return {};
    return fail(ErrorKind::Invalid, to + " lies outside of the sync root " + root);
  }

  bool under_an_end(const std::string& path) const {
    for (std::string up = parent(path); !up.empty(); up = parent(up)) {
      if (ends_.contains(up)) return true;
    }
    return false;
  }

  void take_parents(const std::string& path, const std::string& root, const std::string& kind) {
    const std::string nearest = parent(path);
    if (last_ == std::tie(nearest, root, kind)) return;  // what lies side by side comes one after the other
    last_ = {nearest, root, kind};
    for (std::string up = nearest; below(up, root); up = parent(up)) set(up, kind);
    if (kind == "on" && root != "/") set(root, "root");
  }

  // A path can be asked for more than once (syncs below one another): the kind that covers both.
  void set(const std::string& path, const std::string& kind) {
    const auto only_on_the_way = [](const std::string& it) {
      return it == "on" || it == "off" || it == "root";
    };
    std::string& have = kinds_[path];
    if (have.empty() || have == kind) {
      have = kind;
    } else if (only_on_the_way(have) && only_on_the_way(kind)) {
      have = "on";
    } else if ((have == "mkdir" && kind != "root") || (kind == "mkdir" && have != "root")) {
      have = "made";
    } else if (only_on_the_way(have)) {
      have = kind;
    }
  }

  static std::string octal(std::uint32_t mode) {
    std::string digits = "0";
    for (int shift = 6; shift >= 0; shift -= 3) digits += static_cast<char>('0' + (mode >> shift & 7));
    return digits;
  }

  std::set<std::string> roots_;
  std::unordered_set<std::string> ends_;                // paths below which nothing can be
  std::unordered_map<std::string, std::string> kinds_;  // by path
  std::tuple<std::string, std::string, std::string> last_;
  Deletes files_, directories_;
  bool with_tar_ = false;
};

// Cuts entries and deletes into commands that keep to kArgumentLimit. An entry names its kind and directory
// only where they differ from those before it; a new command names them again.
class Packer {
 public:
  void entry(const std::string& path, const std::string& kind) {
    make_room();
    add_entry(path, kind);
  }
  void remove(const RemoteDelete& it) {
    make_room();
    look_on_the_way(it);
    add(deletes_, it.to);
  }
  void remove_directory(const RemoteDelete& it) {
    make_room();
    look_on_the_way(it);
    add_entry(it.to, "gone");
  }
  std::vector<BatchCommand> finish(bool with_tar) {
    flush(with_tar);
    return std::move(commands_);
  }

 private:
  void add_entry(const std::string& path, const std::string& kind) {
    if (kind != kind_) add(entries_, kind_ = kind);
    const std::string directory = parent(path);
    if (directory != directory_) add(entries_, "@" + *(directory_ = directory));
    add(entries_, "./" + path.substr(directory.size() + 1));
    named_.insert(path);
  }
  // Each command sees for itself whether there is a link.
  void look_on_the_way(const RemoteDelete& it) {
    for (std::string up = parent(it.to); below(up, it.root); up = parent(up))
      if (!named_.contains(up)) add_entry(up, "off");
  }
  void add(Argv& to, std::string argument) {
    size_ += argument.size() + kArgumentOverhead;
    to.push_back(std::move(argument));
  }
  void make_room() {
    if (size_ > kArgumentLimit) flush(false);
  }
  void flush(bool with_tar) {
    entries_.push_back(".");
    Argv arguments{with_tar ? "1" : "0", std::to_string(entries_.size())};
    for (Argv* part : {&entries_, &deletes_}) {
      arguments.insert(arguments.end(), part->begin(), part->end());
      part->clear();
    }
    commands_.push_back({shell(kBatchScript, std::move(arguments)), with_tar});
    kind_.clear();
    directory_.reset();
    named_.clear();
    size_ = 0;
  }

  Argv entries_, deletes_;
  std::unordered_set<std::string> named_;  // paths that this command looks at
  std::string kind_;
  std::optional<std::string> directory_;  // nothing: none named yet; the root is ""
  std::size_t size_ = 0;
  std::vector<BatchCommand> commands_;
};

}  // namespace

Result<std::vector<BatchCommand>> batch_commands(const Delivery& delivery) {
  Survey survey;
  if (auto taken = survey.take(delivery); !taken) return std::unexpected(taken.error());
  const auto files = survey.deleted_files(), directories = survey.deleted_directories();
  const auto kinds = survey.kinds();
  if (kinds.empty() && files.empty() && directories.empty()) return std::vector<BatchCommand>{};
  Packer packer;
  for (const auto& [path, kind] : kinds) packer.entry(path, kind);
  for (const RemoteDelete* it : files) packer.remove(*it);
  for (const RemoteDelete* it : directories) packer.remove_directory(*it);
  return packer.finish(survey.with_tar());
}

Argv run_command(const DeliveryRun& run, const Delivery& delivery) {
  const ChangedPaths changed = changed_paths(delivery);
  Argv arguments{run.working_dir, std::to_string(delivery.sequence), changed.list,
                 std::to_string(changed.count)};
  arguments.insert(arguments.end(), run.command.begin(), run.command.end());
  return shell(kRunScript, std::move(arguments));
}

std::string take_pid(std::string& err) {
  constexpr std::string_view kMark = "live-update: pid=";
  const std::size_t at = err.find(kMark);
  const std::size_t end = at == std::string::npos ? at : err.find('\n', at);
  if (end == std::string::npos) return "";
  const std::string line = err.substr(at + kMark.size(), end - at - kMark.size());
  err.erase(at, end + 1 - at);
  const std::size_t space = line.find(' ');
  const std::string pid = line.substr(0, space);
  return line.ends_with(" group") ? "-" + pid : pid;
}

Argv kill_command(const std::string& pid) { return shell(kKillScript, {pid}); }

Argv signal_command(std::string_view signal) {
  return shell(kSignalScript, {std::string(signal), std::to_string(signal_number(signal))});
}

}  // namespace live_update
