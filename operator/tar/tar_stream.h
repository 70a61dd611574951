// The files of a delivery as a tar archive, made while it is read, so that a large batch costs a chunk of
// memory per container and not its size.
//
// Format: GNU tar (long names as 'L' and 'K' records), which GNU tar, busybox and toybox read. Names are
// relative to `/`. Owner and group are left to whoever unpacks. mtime has whole seconds, as that format has
// it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/base/result.h"
#include "core/desired/delivery.h"
#include "run/content.h"

namespace live_update {

// Decodes every file of `delivery` once and compares size and digest with what was announced, a bounded
// amount of work at a time. `delivery` must outlive it.
class ContentCheck {
 public:
  explicit ContentCheck(const Delivery& delivery) : delivery_(delivery) {}
  // Looks at about `budget` bytes more. True: all is well; false: call again. Error Invalid: names the file
  // and says how it differs; comes again with every further call.
  Result<bool> step(std::uint64_t budget);

 private:
  Result<> look(const DeliveryWrite& write);

  const Delivery& delivery_;
  std::size_t next_ = 0;
  std::uint64_t looked_ = 0;
  Sha256 digest_;
};

class TarStream {
 public:
  // `now`: the mtime of what came without one. Setuid, setgid and sticky bits are dropped (rule 4.4).
  TarStream(std::shared_ptr<const Delivery> delivery, Time now);
  ~TarStream();
  TarStream(TarStream&&) noexcept;
  TarStream& operator=(TarStream&&) noexcept;

  // The next bytes, about 64 KiB; empty at the end. An error (content that does not decode) is final.
  Result<std::string> next();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace live_update
