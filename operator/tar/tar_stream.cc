#include "operator/tar/tar_stream.h"

#include "core/desired/delivery.h"

#include <archive.h>
#include <archive_entry.h>

#include <algorithm>
#include <stdexcept>
#include <string_view>

namespace live_update {
namespace {

constexpr std::size_t kChunk = 64 * 1024;
constexpr std::uint64_t kCostOfEntry = 512;  // what an empty file takes, as bytes
constexpr std::uint32_t kOwnerAll = 0700;

Error broken(const DeliveryWrite& write, const std::string& why) {
  return {ErrorKind::Invalid, write.to + ": " + why};
}

struct Item {
  const DeliveryWrite* write;
  std::uint32_t mode;
};

// Directories first, a parent before its children; then files and links (rule 4.1); then once more those
// directories whose mode would have kept us from writing into them (busybox sets modes at once, and as
// another user than root only where it creates the directory: there they stay writable).
std::vector<Item> in_order(const Delivery& delivery) {
  std::vector<Item> order, others, closed;
  for (const DeliveryWrite& write : delivery.writes) {
    const std::uint32_t mode = write.mode & kModeBits;
    if (!is_held(write)) continue;
    if (write.type != FileType::Directory) {
      others.push_back({&write, mode});
      continue;
    }
    if (write.to == write.root) continue;  // keeps the mode it has; the script creates it
    order.push_back({&write, mode | kOwnerAll});
    if ((mode & kOwnerAll) != kOwnerAll) closed.push_back({&write, mode});
  }
  const auto path = [](const Item& item) -> const std::string& { return item.write->to; };
  std::ranges::sort(order, {}, path);
  std::ranges::sort(closed, std::ranges::greater{}, path);
  order.insert(order.end(), others.begin(), others.end());
  order.insert(order.end(), closed.begin(), closed.end());
  return order;
}

unsigned file_type(FileType type) {
  switch (type) {
    case FileType::File:
      return AE_IFREG;
    case FileType::Directory:
      return AE_IFDIR;
    case FileType::Symlink:
      return AE_IFLNK;
  }
  return AE_IFREG;
}

}  // namespace

bool unpacks_widely(const Delivery& delivery) {
  constexpr std::uint64_t kMuch = 1 << 20;
  for (const DeliveryWrite& write : delivery.writes)
    for (const Piece& piece : write.pieces)
      if (piece.encoding == Encoding::Zstd && zstd_window(*piece.content) > kMuch) return true;
  return false;
}

Result<bool> ContentCheck::step(std::uint64_t budget) {
  if (error_) return std::unexpected(*error_);
  const std::uint64_t enough = cost_ + budget;
  while (next_ < delivery_.writes.size()) {
    if (cost_ >= enough) return false;
    const DeliveryWrite& write = delivery_.writes[next_];
    const bool has_content = write.type == FileType::File && is_held(write);
    const auto whole = has_content ? look(write) : Result<bool>(true);
    if (!whole) {
      reader_.reset();
      error_ = whole.error();
      return std::unexpected(*error_);
    }
    if (!*whole) continue;
    cost_ += kCostOfEntry;
    ++next_;
    piece_ = 0;
    at_ = 0;
  }
  return true;
}

// The next block of a file. True: it was the last one, and all is well.
Result<bool> ContentCheck::look(const DeliveryWrite& write) {
  if (!reader_ && piece_ < write.pieces.size())
    if (auto begun = begin_piece(write); !begun) return std::unexpected(begun.error());
  if (reader_) {
    const auto block = reader_->next();
    if (!block) return std::unexpected(broken(write, "its content " + block.error().message));
    digest_.add(block->bytes);
    at_ += block->bytes.size();
    cost_ += block->bytes.empty() ? kChunk : block->bytes.size();
    if (!block->last) return false;
    reader_.reset();
    if (++piece_ < write.pieces.size()) return false;
  }
  if (auto judged = judge(write); !judged) return std::unexpected(judged.error());
  return true;
}

Result<> ContentCheck::begin_piece(const DeliveryWrite& write) {
  const Piece& piece = write.pieces[piece_];
  if (piece.offset != at_)
    return std::unexpected(broken(write, "a piece of its content is missing at byte " + std::to_string(at_)));
  reader_.emplace(piece.encoding, *piece.content, write.size - at_);
  return {};
}

Result<> ContentCheck::judge(const DeliveryWrite& write) {
  if (at_ != write.size)
    return std::unexpected(broken(write, "its content has " + std::to_string(at_) +
                                             " bytes, announced were " + std::to_string(write.size)));
  const std::string digest = digest_.finish();
  if (digest != write.digest)
    return std::unexpected(
        broken(write, "its content has the digest " + digest + ", announced was " + write.digest));
  return {};
}

struct TarStream::State {
  State(std::shared_ptr<const Delivery> what, Time time)
      : delivery(std::move(what)),
        now(time),
        entries(in_order(*delivery)),
        archive(archive_write_new()),
        entry(archive_entry_new()) {
    if (!archive || !entry) throw std::bad_alloc();
    archive_write_set_format_gnutar(archive);
    archive_write_set_bytes_per_block(archive, 0);  // no padding to ten kilobytes
    const auto keep = [](struct archive*, void* self, const void* bytes, std::size_t size) {
      static_cast<State*>(self)->out.append(static_cast<const char*>(bytes), size);
      return static_cast<la_ssize_t>(size);
    };
    archive_write_open(archive, this, nullptr, keep, nullptr);
  }
  State(const State&) = delete;
  ~State() {
    archive_entry_free(entry);
    archive_write_free(archive);
  }

  Result<Chunk> next() {
    idle = false;
    while (out.size() < kChunk && !ended && !idle) {
      if (Result<> step = body ? write_body() : write_header(); !step) return std::unexpected(step.error());
    }
    return Chunk{std::exchange(out, {}), ended ? Chunk::End : Chunk::More};
  }

  Result<> write_header() {
    if (at == entries.size()) {
      archive_write_close(archive);
      ended = true;
      return {};
    }
    const auto& [it, mode] = entries[at++];
    const DeliveryWrite& write = *it;
    describe(write, mode);
    if (archive_write_header(archive, entry) < ARCHIVE_OK) return failed(write);
    if (write.type == FileType::File && write.size > 0) {
      body = &write;
      piece = 0;
      sent = 0;
      open_piece();
    }
    return {};
  }

  void describe(const DeliveryWrite& write, std::uint32_t mode) {
    archive_entry_clear(entry);
    archive_entry_copy_pathname(entry, write.to.c_str() + 1);
    archive_entry_set_filetype(entry, file_type(write.type));
    archive_entry_set_perm(entry, mode);
    archive_entry_set_size(entry, write.type == FileType::File ? static_cast<la_int64_t>(write.size) : 0);
    const auto seconds = std::chrono::floor<std::chrono::seconds>(now).time_since_epoch().count();
    archive_entry_set_mtime(entry, std::max<std::int64_t>(0, seconds), 0);
    if (write.type == FileType::Symlink) archive_entry_copy_symlink(entry, write.target.c_str());
  }

  void open_piece() {
    const Piece& it = body->pieces[piece];
    reader.emplace(it.encoding, *it.content, body->size - sent);
  }

  Result<> write_body() {
    const auto block = reader->next();
    if (!block) return std::unexpected(broken(*body, "its content " + block.error().message));
    const std::string_view bytes = block->bytes;
    if (archive_write_data(archive, bytes.data(), bytes.size()) != static_cast<la_ssize_t>(bytes.size()))
      return failed(*body);
    sent += bytes.size();
    idle = bytes.empty();
    if (!block->last) return {};
    reader.reset();
    if (++piece < body->pieces.size()) {
      open_piece();
      return {};
    }
    archive_write_finish_entry(archive);
    body = nullptr;
    return {};
  }

  Result<> failed(const DeliveryWrite& write) {
    const char* why = archive_error_string(archive);
    return std::unexpected(broken(write, std::string("cannot be packed: ") + (why ? why : "unknown error")));
  }

  std::shared_ptr<const Delivery> delivery;
  Time now;
  std::vector<Item> entries;
  std::size_t at = 0;                   // the next of `entries`
  const DeliveryWrite* body = nullptr;  // the file whose bytes are being written
  std::size_t piece = 0;
  std::uint64_t sent = 0;
  std::optional<ContentReader> reader;  // of the piece
  std::string out;
  bool ended = false;
  bool idle = false;  // the last step has brought nothing
  struct archive* archive;
  struct archive_entry* entry;
};

TarStream::TarStream(std::shared_ptr<const Delivery> delivery, Time now)
    : state_(std::make_unique<State>(std::move(delivery), now)) {}
TarStream::~TarStream() = default;
TarStream::TarStream(TarStream&&) noexcept = default;
TarStream& TarStream::operator=(TarStream&&) noexcept = default;

Result<Chunk> TarStream::next() { return state_->next(); }

}  // namespace live_update
