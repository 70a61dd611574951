// What the operator sends, as the agent reads it.
#include "test/fuzz/agent_protocol_fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace live_update::agent;
  return take(data, size, 0, decode_request);
}
