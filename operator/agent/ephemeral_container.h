// The way into a container that has no shell: an ephemeral container with the operator's own image joins the
// target's process namespace, puts the agent into the target's files (agent/place.h), and ends. The agent is
// then executed in the target itself, like anywhere else.
//
// It has the security context of the target. A target whose user only its image knows gets root with the
// runtime's own capabilities, who becomes the user of the target's main process before doing anything; where
// root is forbidden (runAsNonRoot) it is the operator's own user. What came of it stays readable in the pod's
// status, and its name tells for which container and agent it was: so it is added once for each life of a
// container, and found again by the operator after this one. Pure.
#pragma once

#include <rapidjson/document.h>

#include <string>
#include <vector>

#include "core/desired/delivery.h"
#include "kube/api_server.h"
#include "operator/agent/agent_program.h"

namespace live_update {

struct EphemeralImage {
  std::string name;         // the operator's; empty: ephemeral containers may not be added
  std::string pull_policy;  // empty: Kubernetes' own default
};

// A pod cannot lose an ephemeral container again.
inline constexpr int kMostForOneLife = 5, kMostInOnePod = 25;

// What a pod tells of the newest one for this container and these programs.
struct EphemeralLook {
  enum State {
    None,    // there is none
    Coming,  // it has not ended yet; `why`: what it waits for, if that takes somebody's help
    Placed,  // `file`: the agent, in the target; of an earlier life on a volume, too
    Failed,  // `tried`: why it lies nowhere
    Gone,    // the container is not that one any more, or does not run
  } state = None;
  int number = 0;  // of the newest for this life, from 1; 0: none
  int in_pod = 0;  // all of ours
  std::string file, why;
  std::vector<std::string> tried;
};
// `missing`: a file that turned out not to be there: only a newer ephemeral container can have placed it.
EphemeralLook look_for_ephemeral(const rapidjson::Value& pod, const ContainerRef& to,
                                 const AgentPrograms& programs, const std::string& missing);

// Adds number `number`. `directories`: as for agent_command. Fails with Conflict for another pod of that
// name.
Request add_ephemeral(const rapidjson::Value& pod, const ContainerRef& to, const AgentPrograms& programs,
                      const EphemeralImage& image, const std::vector<std::string>& directories, int number);

}  // namespace live_update
