// An ApiServer whose exec sessions are processes of this machine: for the very scripts that go into
// containers.
#pragma once

#include <string>
#include <vector>

#include "kube/api_server.h"
#include "run/loop.h"

namespace live_update {

class LocalExec : public ApiServer {
 public:
  struct Options {
    std::string path;    // the PATH of the processes, where their commands are looked up: a container's own
    unsigned uid = 0;    // 0: ours
    bool leader = true;  // in a session of its own, as runc does it
  };
  LocalExec(Loop& loop, Options options) : loop_(loop), options_(std::move(options)) {}

  Handle request(Request, std::move_only_function<void(Result<Response>)>) override { return {}; }
  Handle watch(Request, std::function<void(std::string)>, std::move_only_function<void(Result<>)>) override {
    return {};
  }
  std::unique_ptr<ExecSession> exec(ExecRequest request, ExecCallbacks callbacks) override;

  int execs = 0;

 private:
  Loop& loop_;
  Options options_;
};

}  // namespace live_update
