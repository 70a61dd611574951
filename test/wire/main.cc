#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>
#include <openssl/crypto.h>

#include <cstdlib>
#include <future>

#include "kube/io.h"

int main(int argc, char** argv) {
  ::setenv("SSL_CERT_FILE", "/system/roots.pem", 1);  // a plugin gets these back
  ::unsetenv("SSL_CERT_DIR");
  live_update::init_kube_io();
  const int result = doctest::Context(argc, argv).run();
  // The I/O thread lives until the process ends; what OpenSSL keeps for it must not look like a leak.
  std::promise<void> stopped;
  live_update::post_io([&] {
    OPENSSL_thread_stop();
    stopped.set_value();
  });
  stopped.get_future().wait();
  return result;
}
