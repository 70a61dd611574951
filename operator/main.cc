// live-update-operator: the program in the cluster. Builds the graph of objects by hand and runs the loop.
//
//   caches (list and watch) -> Controller (gather, decide, act, record) -> TarTransport (exec into the target
//   containers)
#include <csignal>
#include <cstdlib>
#include <iostream>
