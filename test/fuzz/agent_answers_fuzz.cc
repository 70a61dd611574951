// What the agent, or anything in its place, answers, as the operator reads it.
#include "test/fuzz/agent_protocol_fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace live_update::agent;
  return take(data, size, 100, decode_answer);
}
