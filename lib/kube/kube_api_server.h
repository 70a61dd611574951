// The real ApiServer: credentials, HTTP and exec sessions put together, with the rules on when to try again.
//
// - A 401, or a certificate that is refused: the credentials and certificates are read again, and the request
//   is tried once more if they have changed.
// - A cut connection: GET, PUT, PATCH (apply and merge) and DELETE are tried once more, within the same
//   deadline. POST is not; but cpprestsdk may itself send it twice, so what is created must have a fixed name.
// - Everything else is the caller's to try again, by `Error::retryable`.
#pragma once

#include <memory>

#include "core/base/result.h"
#include "kube/api_server.h"
#include "kube/exec_client.h"
#include "kube/http_client.h"
#include "kube/kubeconfig.h"
#include "run/loop.h"

namespace live_update {

struct ApiServerOptions {
  HttpOptions api;
  // Bookmarks come once a minute, so a watch that is silent for longer has lost its server.
  HttpOptions watch{.idle = Millis(90'000)};
  std::size_t longest_line = std::size_t{16} << 20;  // one event; etcd takes objects of 1.5 MB
  ExecOptions exec;
};

// There is a LoopIo of this loop. Fails where the configuration cannot work: files that are missing,
// certificates that are expired or do not belong together. A credential plugin runs with the first request
// only. Destroying it cancels everything; Handles and sessions may outlive it, silent.
Result<std::unique_ptr<ApiServer>> make_api_server(Loop& loop, ClientConfig config,
                                                   ApiServerOptions options = {});

}  // namespace live_update
