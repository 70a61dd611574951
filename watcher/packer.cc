#include "watcher/packer.h"

#include <algorithm>

#include "run/content.h"

namespace live_update {
namespace {

constexpr std::size_t kOverhead = 200;  // of one change in JSON, beside its texts and content

std::size_t cost(const Change& change) {
  return kOverhead + change.path.size() + change.target.size() +
         (change.content ? change.content->size() : 0);
}

Change piece_of(const Change& whole, std::uint64_t offset, Encoded encoded) {
  Change piece = whole;
  piece.offset = offset;
  piece.encoding = encoded.encoding;
  piece.content = std::make_shared<const std::string>(std::move(encoded.bytes));
  return piece;
}

// The change with its content encoded, in as many pieces as `limit` makes necessary.
std::vector<Change> encode(const Change& change, std::size_t limit) {
  if (!change.content) return {change};
  const std::string_view bytes = *change.content;
  Encoded whole = encode_content(bytes);
  if (whole.bytes.size() <= limit) return {piece_of(change, 0, std::move(whole))};
  // As many bytes at once as would fill a ChangeSet if they packed as well as the whole does.
  const std::size_t guess =
      static_cast<std::size_t>(static_cast<double>(bytes.size()) / static_cast<double>(whole.bytes.size()) *
                               static_cast<double>(limit) * 0.95);
  std::vector<Change> pieces;
  for (std::size_t offset = 0; offset < bytes.size();) {
    std::size_t size =
        std::clamp(guess, limit, bytes.size() - offset > limit ? bytes.size() - offset : limit);
    Encoded encoded = encode_content(bytes.substr(offset, size));
    while (encoded.bytes.size() > limit) {
      size = std::max(limit, size / 2);
      encoded = encode_content(bytes.substr(offset, size));
    }
    pieces.push_back(piece_of(change, offset, std::move(encoded)));
    offset += size;
  }
  return pieces;
}

// The parts of a batch, filled one after the other.
class Parts {
 public:
  Parts(const ChangeSetSpec& header, const Limits& limits)
      : header_(header), limits_(limits), parts_{header} {
    header_.changes.clear();
    header_.unknown.clear();
    parts_.front() = header_;
  }

  void add(Change piece) {
    make_room(cost(piece));
    parts_.back().changes.push_back(std::move(piece));
  }
  void add(const UnknownPath& unknown) {
    make_room(kOverhead + unknown.path.size());
    parts_.back().unknown.push_back(unknown);
  }

  std::vector<ChangeSetSpec> take() {
    for (std::size_t i = 0; i < parts_.size(); ++i) {
      if (i + 1 < parts_.size()) parts_[i].ignores.reset();
      parts_[i].part = static_cast<int>(i + 1);
      parts_[i].parts = static_cast<int>(parts_.size());
    }
    number(parts_, header_.sequence);
    return std::move(parts_);
  }

 private:
  void make_room(std::size_t size) {
    if (entries_ > 0 && (filled_ + size > limits_.inline_content || entries_ == limits_.packed_changes)) {
      parts_.push_back(header_);
      filled_ = entries_ = 0;
    }
    filled_ += size;
    ++entries_;
  }

  ChangeSetSpec header_;  // without entries
  const Limits& limits_;
  std::vector<ChangeSetSpec> parts_;
  std::size_t filled_ = 0, entries_ = 0;  // of the last part
};

}  // namespace

std::vector<ChangeSetSpec> pack(const ChangeSetSpec& header, std::vector<Change> changes,
                                const Limits& limits) {
  Parts parts(header, limits);
  for (const UnknownPath& it : header.unknown) parts.add(it);
  for (Change& change : changes) {
    for (Change& piece : encode(change, limits.inline_content)) parts.add(std::move(piece));
    change.content.reset();
  }
  return parts.take();
}

void number(std::vector<ChangeSetSpec>& parts, std::int64_t first) {
  for (ChangeSetSpec& part : parts) part.sequence = first++;
}

}  // namespace live_update
