#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>

#include "kube/io.h"

int main(int argc, char** argv) {
  live_update::init_kube_io();
  return doctest::Context(argc, argv).run();
}
