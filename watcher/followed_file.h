// FollowedFile: the file of `watch -f` while it is watched. What is edited in it is applied to the cluster again,
// as at the start (rule 8.1); what that lets out of this machine is the ceiling's business.
//
// The file is looked at by its state, twice a second, as editors replace it; one that is being written is left
// alone until two looks see the same. Lives on the loop's thread, as long as the watcher.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "core/api/object_key.h"
#include "kube/api_server.h"
#include "run/loop.h"
#include "watcher/console.h"
#include "watcher/manifest_file.h"

namespace live_update {

class FollowedFile {
 public:
  static constexpr Millis kLook{500};
  // What the file says now, checked; an error for people.
  using Read = std::function<Result<std::vector<Manifest>>()>;
  // The LiveUpdates that are watched, as the file had them.
  using Watched = std::map<ObjectKey, LiveUpdate>;

  // `ns`: of those in the file that name none. The loop, the API server and the console outlive it.
  FollowedFile(Loop& loop, ApiServer& api, Console& console, std::string file, std::string ns, Read read,
               Watched watched);

 private:
  void look_later();
  void look();
  void take();
  void apply(const ObjectKey& key, const Manifest& manifest);
  void answered(const ObjectKey& key, const Result<Response>& answer);

  Loop& loop_;
  ApiServer& api_;
  Console& console_;
  const std::string file_, ns_;
  const Read read_;
  Watched watched_;
  std::string seen_, settling_;  // states of the file
  Handle timer_;
  std::map<ObjectKey, Handle> under_way_;
};

}  // namespace live_update
