#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>

#include <cstdlib>

int main(int argc, char** argv) {
  ::setenv("SSL_CERT_FILE", "/system/roots.pem", 1);  // a plugin gets these back
  ::unsetenv("SSL_CERT_DIR");
  return doctest::Context(argc, argv).run();
}
