#include "watcher/followed_file.h"

#include <spdlog/fmt/fmt.h>

#include "watcher/cluster.h"

namespace live_update {

FollowedFile::FollowedFile(Loop& loop, ApiServer& api, Console& console, std::string file, std::string ns,
                           Read read, Watched watched)
    : loop_(loop),
      api_(api),
      console_(console),
      file_(std::move(file)),
      ns_(std::move(ns)),
      read_(std::move(read)),
      watched_(std::move(watched)),
      seen_(file_state(file_)),
      settling_(seen_) {
  look_later();
}

void FollowedFile::look_later() {
  timer_ = loop_.after(kLook, [this] { look(); });
}

void FollowedFile::look() {
  look_later();
  std::string state = file_state(file_);
  if (state == seen_) return;
  if (settling_ != state) {
    settling_ = std::move(state);
    return;
  }
  seen_ = std::move(state);
  take();
}

void FollowedFile::take() {
  const auto manifests = read_();
  if (!manifests)
    return console_.problem(
        fmt::format("{}\nwhat {} said before stays in force", manifests.error().message, file_));
  for (const Manifest& manifest : *manifests) {
    const ObjectMeta& meta = manifest.live_update.meta;
    const ObjectKey key{meta.ns.empty() ? ns_ : meta.ns, meta.name};
    const auto watched = watched_.find(key);
    if (watched == watched_.end() || says_already(watched->second, manifest.live_update)) continue;
    watched->second = manifest.live_update;
    apply(key, manifest);
  }
}

void FollowedFile::apply(const ObjectKey& key, const Manifest& manifest) {
  under_way_[key] = api_.request(apply_request(key, manifest.json),
                                 [this, key](const Result<Response>& answer) { answered(key, answer); });
}

void FollowedFile::answered(const ObjectKey& key, const Result<Response>& answer) {
  if (answer)
    return console_.say(fmt::format("{} was edited: LiveUpdate {} was applied again", file_, to_string(key)));
  console_.problem(fmt::format("{} was edited, but LiveUpdate {} stays as it was: {}; {}", file_,
                               to_string(key), answer.error().message,
                               answer.error().kind == ErrorKind::Forbidden
                                   ? "have it applied by somebody who may write LiveUpdates"
                                   : "save the file again to try once more, or start again"));
}

}  // namespace live_update
