// What went wrong with a request, as a classified Error with a message for people: what was asked, of which
// object, what the server said, what to do. Pure.
#pragma once

#include <string>
#include <string_view>

#include "core/base/result.h"
#include "kube/api_server.h"

namespace live_update {

// The names that a message is about.
struct ServerNames {
  std::string server;   // https://10.0.0.1:6443
  std::string context;  // "in-cluster" inside a pod
  std::string user;     // the user entry
};

enum class TransportFailure { Refused, Unresolved, Timeout, Tls, Cut, Cancelled, TooLarge };

// No answer, or not all of it. `detail` in words.
struct TransportError {
  TransportFailure what = TransportFailure::Cut;
  std::string detail;
  bool begun = false;  // the status line and headers had come already
  bool operator==(const TransportError&) const = default;
};

// "create changesets in namespace shop", "patch liveupdates/web (status) in namespace shop".
std::string describe(const Request& request);
// "exec tar in container web of pod shop/web-1".
std::string describe(const ExecRequest& request);

// An answer of 300 and above (redirects are not followed). `body` is a Status, or whatever a proxy sent.
Error classify_status(const ServerNames& names, const Request& request, int status, std::string_view body);

// The refused upgrade of an exec session.
Error classify_exec_refusal(const ServerNames& names, const ExecRequest& request, int status,
                            std::string_view body);

// `what` is one of the descriptions above.
Error classify_transport(const ServerNames& names, const std::string& what, const TransportError& error);

}  // namespace live_update
