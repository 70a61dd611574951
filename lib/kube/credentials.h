// Who we are to the API server: the Authorization header, the impersonation headers and the TLS identity,
// kept fresh.
//
// Static tokens and passwords stay. Token and PEM files are read again at most once a minute, and when the
// server says 401. A credential plugin runs when there is no credential, shortly before it expires, and on
// 401, but not twice within ten seconds. Loop thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/base/result.h"
#include "kube/credential_plugin.h"
#include "kube/kubeconfig.h"
#include "kube/tls.h"
#include "run/loop.h"

namespace live_update {

struct Auth {
  std::vector<std::pair<std::string, std::string>> headers;
  std::shared_ptr<const TlsIdentity> tls;
  std::uint64_t generation = 0;  // changes whenever one of the others does
};

class Credentials {
 public:
  using Done = std::move_only_function<void(Result<Auth>)>;

  Credentials(Loop& loop, ClientConfig config);
  ~Credentials();

  // The present ones. `done` runs inside the call, unless a plugin has to run first; all who ask meanwhile
  // share one run.
  void get(Done done);
  // The server refused the credentials of `generation`: gets newer ones, if there are any (else the same come
  // again).
  void refresh(std::uint64_t generation, Done done);

 private:
  Result<> reload(bool force);
  Result<TlsSettings> read_tls();
  Result<std::string> authorization();
  bool plugin_due() const;
  void run_plugin();
  void plugin_ended(Result<std::string> output);
  void answer(const Result<>& outcome);

  Loop& loop_;
  const ClientConfig config_;
  Auth auth_;
  TlsSettings tls_;
  std::string authorization_;
  bool loaded_ = false;
  Instant loaded_at_;
  PluginCredential plugin_;
  Result<> plugin_outcome_;
  bool plugin_ran_ = false;
  Instant plugin_ran_at_;
  std::vector<Done> waiting_;
  std::unique_ptr<PluginRun> run_;
};

}  // namespace live_update
