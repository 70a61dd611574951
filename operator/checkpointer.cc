#include "operator/checkpointer.h"

#include <utility>

#include "operator/requests.h"

namespace live_update {

Checkpointer::Checkpointer(ApiServer& api, const ObjectMeta& live_update, std::vector<ChangeSetSpec> parts,
                           std::function<void(const Result<>&)> done)
    : api_(api), live_update_(live_update), parts_(std::move(parts)), done_(std::move(done)) {
  post_next();
}

// The text of a part is made when its turn has come, and what it was made of is let go.
void Checkpointer::post_next() {
  const ChangeSetSpec part = std::exchange(parts_[next_], {});
  ++next_;
  request_ = api_.request(create_change_set(live_update_, part),
                          [this](const Result<Response>& result) { answered(result); });
}

// The answer to an earlier try of the same request may have been lost.
void Checkpointer::answered(const Result<Response>& result) {
  const bool stored = result || result.error().kind == ErrorKind::AlreadyExists;
  if (stored && next_ < parts_.size()) return post_next();
  const auto done = std::exchange(done_, {});
  done(stored ? Result<>() : std::unexpected(result.error()));
}

}  // namespace live_update
