// TLS towards the API server: PEM texts checked once, then applied to every connection. OpenSSL stays in
// tls.cc.
//
// Only the authorities given here are trusted, never the system's besides them. The name check is ours too,
// so that a failed handshake can be told in words ("the certificate is for kubernetes, 10.96.0.1, not for
// example.com").
#pragma once

#include <memory>
#include <string>

#include "core/api/kinds.h"
#include "core/base/result.h"

struct ssl_ctx_st;
struct ssl_st;

namespace live_update {

// PEM texts, and where they come from, for messages ("/home/ada/ca.crt", "certificate-authority-data of
// cluster dev").
struct TlsSettings {
  std::string ca, ca_from;
  std::string certificate, certificate_from;  // optional: the client's, followed by its chain
  std::string key, key_from;
  std::string server_name;  // what the server's certificate must be for: a DNS name or an address
  bool insecure = false;    // the server's certificate is not looked at
  bool operator==(const TlsSettings&) const = default;
};

// Checked and parsed. Immutable; any thread; shared by all connections.
class TlsIdentity {
 public:
  // Invalid: no PEM, a key that does not belong to the certificate or has a passphrase, a client certificate
  // or a CA that is expired at `now` (or not valid yet). The message names the file and the remedy.
  static Result<std::shared_ptr<const TlsIdentity>> make(const TlsSettings& settings, Time now);

  // Sets trust, name check, client certificate and TLS 1.2 as the least, in place of whatever the context
  // trusted before.
  void apply(ssl_ctx_st* context) const;
  // Server name indication; nothing for an address, as RFC 6066 wants it.
  void set_sni(ssl_st* connection) const;
  // Why the last failed check of a server certificate failed, in words, and forgets it; empty if none did.
  // Between the loop's turns.
  std::string take_failure() const;

  bool insecure() const;
  ~TlsIdentity();

 private:
  struct Impl;
  explicit TlsIdentity(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace live_update
