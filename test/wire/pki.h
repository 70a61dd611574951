// Certificates for tests, made on the spot.
#pragma once

#include <string>
#include <vector>

namespace live_update {

struct KeyPair {
  std::string certificate, key;  // PEM
};

struct CertificateSpec {
  std::string name;
  std::vector<std::string> names;  // "DNS:localhost", "IP:127.0.0.1"
  int begins_in_days = -1, ends_in_days = 1;
};

KeyPair make_authority(const std::string& name, int ends_in_days = 1);
KeyPair issue(const KeyPair& authority, const CertificateSpec& spec);

}  // namespace live_update
