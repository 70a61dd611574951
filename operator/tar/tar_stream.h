// The files of a delivery as a tar archive, made while it is read, so that a large batch costs a chunk of
// memory per container and not its size.
//
// Format: GNU tar (long names as 'L' and 'K' records), which GNU tar, busybox and toybox read. Names are
// relative to `/`. Owner and group are left to whoever unpacks. mtime has whole seconds, as that format has
// it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/base/result.h"
#include "core/desired/delivery.h"
#include "operator/exec/stdin_feed.h"
#include "run/content.h"

namespace live_update {

// Whether unpacking its content takes more than 1 MiB of memory: not what `live-update` packs, but allowed.
bool unpacks_widely(const Delivery& delivery);

// Decodes every file of `delivery` once and compares size and digest with what was announced, a bounded
// amount of work and memory at a time. `delivery` must outlive it.
class ContentCheck {
 public:
  explicit ContentCheck(const Delivery& delivery) : delivery_(delivery) {}
  // Looks at about `budget` bytes more. True: all is well; false: call again. Error Invalid: names the file
  // and says how it differs; comes again with every further call.
  Result<bool> step(std::uint64_t budget);
  // The file that the error is about.
  const DeliveryWrite& wrong() const { return delivery_.writes[next_]; }

 private:
  Result<bool> look(const DeliveryWrite& write);
  Result<> begin_piece(const DeliveryWrite& write);
  Result<> judge(const DeliveryWrite& write);

  const Delivery& delivery_;
  std::size_t next_ = 0;    // of the writes
  std::size_t piece_ = 0;   // of its pieces
  std::uint64_t at_ = 0;    // bytes of it so far
  std::uint64_t cost_ = 0;  // of all that was looked at, in bytes
  std::optional<ContentReader> reader_;
  std::optional<Error> error_;
  Sha256 digest_;
};

class TarStream {
 public:
  // `now`: the time of all entries; who unpacks takes its own (rule 4.4). Setuid, setgid and sticky bits are dropped (rule 4.4).
  TarStream(std::shared_ptr<const Delivery> delivery, Time now);
  ~TarStream();
  TarStream(TarStream&&) noexcept;
  TarStream& operator=(TarStream&&) noexcept;

  // The next bytes, about 64 KiB. An error (content that does not decode) is final.
  Result<Chunk> next();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace live_update
