#include "operator/exec/exec_diagnosis.h"

#include <algorithm>
#include <array>
#include <set>
#include <vector>

#include "core/api/conditions.h"
#include "core/base/text.h"
#include "operator/exec/output_tail.h"
#include "operator/exec/script_note.h"

namespace live_update {
namespace {

constexpr int kKilled = 128;  // exit codes above: by that signal
constexpr std::size_t kShown = 1024;
constexpr std::size_t kMostPlaces = 5;

bool has(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

std::string lowered(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(),
                         [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return out;
}

std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    if (end > 0) lines.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

// "tar: app/a.py: Cannot open: Permission denied", "rm: can't remove '/app/a.py': Permission denied" ->
// /app/a.py
std::string path_in(std::string_view line) {
  std::string path;
  const std::size_t open = line.find(" '"), close = line.rfind('\'');
  if (open != std::string_view::npos && close > open + 2 && has(line.substr(close), ": ")) {
    path = line.substr(open + 2, close - open - 2);
  } else if (const std::size_t at = std::min(line.find(": Cannot "), line.find(": Wrote only "));
             line.starts_with("tar: ") && at < line.size() && at > 5) {
    path = line.substr(5, at - 5);
  }
  return path.empty() || path.starts_with('/') ? path : "/" + path;
}

std::string last_lines(std::string_view err) {
  OutputTail tail(kShown);
  tail.add(err);
  const std::string text = tail.text();
  return text.empty() ? "it said nothing" : text;
}

struct Kind {
  std::string_view says, reason, what, remedy;
};
// In the order of the system's own words; the first line that has one of them tells the cause, what follows
// are consequences.
constexpr std::array kKinds{
    Kind{"Permission denied", reason::kNotWritable, "is not writable",
         "make it writable for that user (chown in the Dockerfile, or securityContext.runAsUser or fsGroup "
         "of the pod), or sync to another directory"},
    Kind{"Operation not permitted", reason::kNotWritable, "may not be changed",
         "let that user own it (chown in the Dockerfile, or securityContext.runAsUser of the pod), or sync "
         "to another directory"},
    Kind{"Read-only file system", reason::kReadOnlyFileSystem, "is on a read-only file system",
         "set securityContext.readOnlyRootFilesystem to false, or mount an emptyDir there, or sync to a "
         "directory that is a writable volume"},
    Kind{"No space left on device", reason::kNoSpace, "does not fit: no space is left",
         "free some, or raise the limit of the volume or the pod's ephemeral storage"},
    Kind{": Wrote only ", reason::kNoSpace, "does not fit: no space is left",
         "free some, or raise the limit of the volume or the pod's ephemeral storage"},
    Kind{"Disk quota exceeded", reason::kNoSpace, "does not fit: the quota is used up",
         "free some, or raise the quota"},
    Kind{"resource busy", reason::kNotWritable, "is a mount point and cannot be replaced",
         "mount its directory instead of the single file, or sync to another directory"},
    Kind{"File name too long", reason::kFailed, "has a name that is too long there",
         "choose a shorter `to`, or ignore it"},
};

// Further places, which tar goes on to name: one path in each of four directories, and how many more
// directories there are.
std::string others(const std::vector<std::string_view>& lines, const std::string& first) {
  std::set<std::string> seen{first.substr(0, first.rfind('/'))};
  std::string text;
  for (const std::string_view line : lines) {
    const std::string path = path_in(line);
    if (path.empty() || std::ranges::none_of(kKinds, [&](const Kind& it) { return has(line, it.says); }))
      continue;
    if (seen.insert(path.substr(0, path.rfind('/'))).second && seen.size() <= kMostPlaces)
      text += (text.empty() ? "; also " : ", ") + path;
  }
  if (seen.size() > kMostPlaces) text += " and " + std::to_string(seen.size() - kMostPlaces) + " more";
  return text;
}

NotDelivered describe(const ContainerRef& to, const Kind& kind, std::string_view line, const ScriptNote& note,
                      std::string_view at, const std::vector<std::string_view>& lines) {
  std::string path = path_in(line);
  if (path.empty() && note.word != "tar") path = note.path;
  if (path.empty()) path = at;
  if (path.empty()) path = "a path of this batch";
  const std::string user = note.uid.empty() ? "" : " for user ID " + note.uid;
  return {std::string(kind.reason),
          clean(to_string(to) + ": " + path + " " + std::string(kind.what) + user + " (" + std::string(line) +
                ")" + others(lines, path) + "; " + std::string(kind.remedy)),
          false};
}

struct Refusal {
  std::string_view word, reason, text;
};
constexpr std::array kRefusals{
    Refusal{"symlink", reason::kPathEscapes,
            "is a symbolic link in the container, and nothing is written through a link below the sync root; "
            "remove the link there, or sync to "
            "the directory it leads to"},
    Refusal{"directory", reason::kFailed,
            "is a directory in the container, but the sync copies a file to exactly this path; end `to` with "
            "/ to copy the file into it"},
    Refusal{"mount", reason::kFailed,
            "is a mount point in the way of a file; unmount it, or sync to another directory"},
    Refusal{"pid1", reason::kRestartFailed,
            "is process 1 but not the container's own: the pod shares a process namespace; set "
            "shareProcessNamespace and hostPID to false, or "
            "use another `restart`"},
    Refusal{"unhandled", reason::kRestartFailed,
            "is process 1 and has no handler for the signal, so that from inside the container nothing would "
            "happen; handle the signal in the "
            "program, or run it under an init such as tini"},
    Refusal{"kill", reason::kRestartFailed,
            "is process 1 and belongs to another user; run the container's commands as the same user, or use "
            "another `restart`"},
};

NotDelivered tool_missing(const ContainerRef& to, std::string_view tool) {
  return {std::string(reason::kToolMissing),
          to_string(to) + ": the image has no `" + std::string(tool) +
              "` on its PATH; transport Tar needs sh, tar, rm, rmdir, mkdir and chmod: add "
              "them to the image (busybox has them all)",
          false};
}

// "UID PATH: REASON" of `kStays`.
struct KeptPath {
  std::string uid, path, why;
};
std::optional<KeptPath> kept_path(const std::string& line) {
  const std::size_t space = line.find(' '), colon = line.rfind(": ");
  if (colon == std::string::npos || space > colon) return {};
  return KeptPath{line.substr(0, space), line.substr(space + 1, colon - space - 1), line.substr(colon + 2)};
}

}  // namespace

std::string to_string(const ContainerRef& to) { return to.ns + "/" + to.pod + ", container " + to.container; }

NotDelivered diagnose(const ContainerRef& to, const Error& error) {
  const std::string said = lowered(error.message);
  const bool of_exec = error.kind == ErrorKind::Invalid || has(said, "exec: \"") || has(said, "oci runtime");
  if (has(said, "executable file not found") ||
      (of_exec && (has(said, "no such file or directory") || has(said, "permission denied")))) {
    return tool_missing(to, "sh");
  }
  if (error.kind == ErrorKind::Forbidden) {
    const bool by_role = has(said, " cannot ");  // a policy says itself what to do
    return {
        std::string(reason::kForbidden),
        to_string(to) +
            ": the API server does not allow the operator to execute there: " + clean(error.message) +
            (by_role
                 ? "; the operator's role needs the verbs get and create on pods/exec in this namespace (the "
                   "chart's ClusterRole has them: is the namespace among watchNamespaces?)"
                 : ""),
        true};
  }
  static constexpr std::array kNotRunning{
      "container not found", "not running", "not created or running", "stopped", "container_exited",
      "no running task",     "has exited",  "pod does not exist"};
  if (error.kind == ErrorKind::NotFound ||
      std::ranges::any_of(kNotRunning, [&](auto* part) { return has(said, part); })) {
    return {
        std::string(reason::kWaiting),
        to_string(to) + ": the container is not running (" + clean(error.message) + "); its changes stay due",
        true};
  }
  return {std::string(reason::kUnreachable),
          to_string(to) + ": " + clean(error.message) + "; it is tried again", true};
}

NotDelivered diagnose(const ContainerRef& to, int exit_code, std::string_view err, std::string_view at) {
  const Noted noted = find_note(err);
  const ScriptNote& note = noted.note;
  if (note.word == "tool") return tool_missing(to, note.path);
  for (const Refusal& it : kRefusals) {
    if (note.word == it.word)
      return {std::string(it.reason), clean(to_string(to) + ": " + note.path + " " + std::string(it.text)),
              false};
  }
  const auto lines = lines_of(noted.rest);
  for (const std::string_view line : lines) {
    for (const Kind& kind : kKinds) {
      if (has(line, kind.says)) return describe(to, kind, line, note, at, lines);
    }
  }
  for (const std::string_view tool : {"rm", "rmdir", "mkdir", "chmod"}) {
    if (has(noted.rest, std::string(tool) + ": not found") ||
        has(noted.rest, std::string(tool) + ": command not found"))
      return tool_missing(to, tool);
  }
  const bool killed = exit_code > kKilled && exit_code != kRefusedExit;
  const std::string how = killed ? "was killed by signal " + std::to_string(exit_code - kKilled) +
                                       " (the container ended, or its memory limit was reached)"
                                 : "failed with exit code " + std::to_string(exit_code);
  return {std::string(killed ? reason::kRetrying : reason::kFailed),
          to_string(to) + ": unpacking " + how + ": " + last_lines(noted.rest), killed};
}

std::optional<std::string> lost_owner(std::string_view err) {
  const Noted noted = find_note(err);
  if (noted.note.word != "owner") return {};
  return clean(
      noted.note.path +
      " belongs to root now, and maybe others, too: transport Tar could not give it back to its owner; it "
      "needs ls and chown in the image, the capability CHOWN, and at most some 1,000 paths at a time");
}

std::optional<std::string> not_deleted(const std::vector<std::string>& said) {
  std::string text, remedy;
  std::size_t named = 0, more = 0;
  for (const std::string& line : said) {
    const auto kept = kept_path(line);
    if (!kept) {
      more += line.starts_with('+') ? std::strtoul(line.c_str() + 1, nullptr, 10) : 0;
    } else if (named++ == 0) {
      text = kept->path + " cannot be deleted by user ID " + kept->uid + " and stays: " + kept->why;
      const auto kind = std::ranges::find_if(kKinds, [&](const Kind& it) { return has(kept->why, it.says); });
      if (kind != kKinds.end()) remedy = "; " + std::string(kind->remedy);
    } else if (named <= kMostPlaces) {
      text += (named == 2 ? "; also " : ", ") + kept->path + " (" + kept->why + ")";
    } else {
      ++more;
    }
  }
  if (named == 0) return {};
  return clean(text + (more > 0 ? " and " + std::to_string(more) + " more" : "") + remedy);
}

bool only_metadata_failed(std::string_view err, std::string& warning) {
  const Noted noted = find_note(err);
  if (noted.note.word != "tar") return false;
  bool any = false;
  for (const std::string_view line : lines_of(noted.rest)) {
    if (!line.starts_with("tar: ") || has(line, "Exiting with failure status")) continue;
    if (!has(line, ": Cannot change mode") && !has(line, ": Cannot utime")) return false;
    if (!any) warning = "mode and time of " + path_in(line) + " stay as they are: it belongs to another user";
    any = true;
  }
  return any;
}

}  // namespace live_update
