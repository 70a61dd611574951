// AcceptedSpec: how far the LiveUpdate of a name may reach into one root of this machine, as somebody has
// agreed to here (rule 8.1). On disk beside the manifests, `<hash of the key>.accepted`, format 1: the line
// `live-update accepted 1 sha256:<digest of the rest>`, then the key and the reach as one JSON object.
#pragma once

#include <optional>
#include <string>

#include "core/api/kinds.h"
#include "core/base/result.h"

namespace live_update {

struct AcceptedKey {
  std::string server, ns, name;  // of the LiveUpdate, whichever object has that name
  std::string root;              // absolute
  bool operator==(const AcceptedKey&) const = default;
};

class AcceptedSpec {
 public:
  // An empty `directory`: nothing is remembered.
  AcceptedSpec(const std::string& directory, AcceptedKey key);

  // What was stored last; nothing if there is none or it is of no use: then it is asked again.
  std::optional<LiveUpdateSpec> load() const;
  // Keeps the reach of the spec (core/reach.h), credentials aside: those count only from a file. Io.
  Result<> store(const LiveUpdateSpec& spec) const;

  const AcceptedKey& key() const { return key_; }
  const std::string& path() const { return path_; }

 private:
  const AcceptedKey key_;
  std::string path_;
};

}  // namespace live_update
