#include "watcher/host_rules.h"

#include <algorithm>
#include <ranges>

#include "core/base/path.h"
#include "core/base/text.h"
#include "core/rules/pattern.h"
#include "core/rules/validate.h"

namespace live_update {

std::string ignore_file_of(const LiveUpdateSpec& spec) {
  return spec.source.ignore_file.empty() ? ".dockerignore" : clean_path(spec.source.ignore_file);
}

std::expected<LoadedIgnoreRules, std::vector<FieldError>> load_ignore_rules(const LiveUpdateSpec& spec,
                                                                            const FileSystem& files) {
  const std::string name = ignore_file_of(spec);
  const bool named = !spec.source.ignore_file.empty();
  const auto with = [&](const std::optional<IgnoreFile>& file) {
    auto rules = IgnoreRules::compile(spec, file);
    using Loaded = std::expected<LoadedIgnoreRules, std::vector<FieldError>>;
    return rules ? Loaded(LoadedIgnoreRules{std::move(*rules), file ? file->text : ""})
                 : Loaded(std::unexpected(std::move(rules.error())));
  };
  if (!named && files.follow(name) == FileKind::Missing) return with({});
  const auto text = files.read(name);
  if (text) return with(IgnoreFile{name, *text});
  const std::string remedy =
      named ? ": create it, or leave ignoreFile out" : ": make it readable, or remove it";
  std::vector<FieldError> errors{{named ? "spec.source.ignoreFile" : name, text.error().message + remedy}};
  if (auto rules = IgnoreRules::compile(spec, {}); !rules) {
    errors.insert(errors.end(), rules.error().begin(), rules.error().end());
  }
  return std::unexpected(std::move(errors));
}

HostIgnores told_ignores(std::string_view text) {
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  HostIgnores told;
  std::size_t count = 0;
  for (auto split : text | std::views::split('\n')) {
    const std::string_view line(split.begin(), split.end());
    if (line.starts_with('#') || trim(line).empty()) continue;
    told.patterns += std::string(line) + '\n';
    ++count;
  }
  if (!is_utf8(told.patterns)) return {"", "its ignore file is not UTF-8"};
  if (count > HostIgnores::kMostPatterns || told.patterns.size() > HostIgnores::kMostBytes)
    return {"", "its ignore file has more than 1,000 patterns or 32 KiB; write fewer, wider ones"};
  return told;
}

namespace {

// "a", "a/b", "a/b/c".
std::vector<std::string> way_to(const std::string& path) {
  std::vector<std::string> out;
  for (std::string up = path; up != "."; up = parent_path(up)) out.push_back(up);
  std::ranges::reverse(out);
  return out;
}

}  // namespace

FollowedLinks followed_links(const Mapping& mapping, const FileSystem& files) {
  FollowedLinks links;
  for (const Route& route : mapping.routes())
    for (const std::string& path : way_to(route.from)) {
      if (!mapping.follows(path) || files.look(path) != FileKind::Symlink) continue;
      if (const LinkEnd end = files.end(path); end.where == LinkEnd::Inside) links[path] = end.path;
    }
  return links;
}

std::optional<std::string> real_path(const FollowedLinks& links, const std::string& path) {
  for (std::string up = path; up != "."; up = parent_path(up)) {
    const auto link = links.find(up);
    if (link == links.end()) continue;
    const std::string end = link->second.empty() ? "." : link->second;
    return up == path ? end : join_path(end, path.substr(up.size() + 1));
  }
  return {};
}

namespace {

// Of a link that is followed: what is wrong with its end, or empty. A credential is held back when it is met.
std::string wrong_end(const LinkEnd& end, const IgnoreRules& rules) {
  if (end.where == LinkEnd::Outside)
    return say_refused(end) +
           ": only what is inside can be synced, so put it there, or choose a root that holds both with "
           "--root";
  if (end.where == LinkEnd::Nowhere || end.path.empty()) return {};
  const IgnoreRules::Verdict verdict = rules.check(end.path);
  if (!verdict.whole || verdict.held_back()) return {};
  return "a link that leads to " + visible(end.path) + ", which is ignored (" + visible(verdict.by) +
         "): sync another folder, or ignore it no more";
}

}  // namespace

std::vector<FieldError> link_errors(const LiveUpdateSpec& spec, const LiveUpdateSpec& ceiling,
                                    const IgnoreRules& rules, const FileSystem& files) {
  std::vector<FieldError> errors;
  const Mapping mapping(spec), bound(ceiling);
  for (const Route& route : mapping.routes()) {
    const std::string field = "spec.steps[" + std::to_string(route.step) + "].sync.from";
    for (const std::string& path : way_to(route.from)) {
      if (files.look(path) != FileKind::Symlink || !mapping.follows(path)) continue;
      if (const std::string wrong = wrong_end(files.end(path), rules); !wrong.empty()) {
        errors.push_back({field, path + " is " + wrong});
        break;
      }
      if (!bound.follows(path))
        errors.push_back({field, path +
                                     " is a link, which may leave this machine only as a link: sync what it "
                                     "leads to"});
    }
  }
  return errors;
}

std::vector<FieldError> root_errors(const LiveUpdateSpec& spec, const IgnoreRules& rules,
                                    const FileSystem& files) {
  std::vector<FieldError> errors = ignored_sources(spec, rules);
  for (FieldError& error : link_errors(spec, spec, rules, files)) errors.push_back(std::move(error));
  const Mapping mapping(spec);
  const DiskTree disk(files, mapping, rules);
  std::vector<Change> suspects;  // only below "/" can something lead to them
  for (const Route& route : mapping.routes()) {
    if (route.to != "/") continue;
    for (const char* name : {"", "proc", "sys", "dev"}) {
      const std::string path = join_path(route.from, name);
      const auto type = disk.type(path);
      if (type && mapping.route(path) == &route) suspects.push_back({.path = path, .type = *type});
    }
  }
  for (FieldError& error : plan(spec, rules, suspects, disk).refused) errors.push_back(std::move(error));
  return errors;
}

// Whether the way from its sync's root to a path leads through a link.
bool DiskTree::behind_link(const std::string& path) const {
  const Route* route = mapping_.route(path);
  if (!route || path == route->from) return false;
  for (std::string up(parent_path(path)); strictly_below(up, route->from); up = parent_path(up)) {
    if (files_.look(up) == FileKind::Symlink) return true;
  }
  return false;
}

std::optional<FileType> DiskTree::type(const std::string& path) const {
  if (behind_link(path)) return {};
  switch (files_.look(path)) {
    case FileKind::File:
      return FileType::File;
    case FileKind::Directory:
      return FileType::Directory;
    case FileKind::Symlink:
      return link_type(path);
    case FileKind::Missing:
    case FileKind::Special:
    case FileKind::Unknown:
      break;
  }
  return {};
}

std::optional<FileType> DiskTree::link_type(const std::string& path) const {
  if (!mapping_.follows(path)) return FileType::Symlink;
  if (files_.end(path).where != LinkEnd::Inside) return {};
  switch (files_.follow(path)) {
    case FileKind::File:
      return FileType::File;
    case FileKind::Directory:
      return FileType::Directory;
    default:
      return {};
  }
}

std::vector<std::string> DiskTree::files_below(const std::string& directory) const {
  std::vector<std::string> out;
  for (const std::string& name : files_.list(directory)) {
    const std::string path = join_path(directory, name);
    const IgnoreRules::Verdict verdict = rules_.check(path);
    if (verdict.whole) continue;
    const auto type = this->type(path);
    if (type == FileType::Directory) {
      for (std::string& below : files_below(path)) out.push_back(std::move(below));
    } else if (type) {
      out.push_back(path);
    }
  }
  return out;
}

}  // namespace live_update
