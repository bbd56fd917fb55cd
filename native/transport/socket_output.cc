#include "transport/socket_output.h"

#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

namespace penstock::transport {
namespace {

// Longer texts stay as they are: copying them costs more than a place in the call.
constexpr size_t kMostJoinedBytes = 4096;
// Of one call. The kernel's own array on the stack ends at 8, its limit is 1024; beyond some dozens a call costs what its bytes cost.
constexpr size_t kMostPieces = 64;

}  // namespace

const char* SocketOutput::Piece::data() const { return slice.size > 0 ? reinterpret_cast<const char*>(slice.data) : text.data(); }

size_t SocketOutput::Piece::size() const { return slice.size > 0 ? slice.size : text.size(); }

void SocketOutput::Append(memory::Slice slice) {
  if (slice.size == 0) return;
  bytes_ += slice.size;
  pieces_.push_back(Piece{{}, std::move(slice)});
}

void SocketOutput::Append(std::string text) {
  if (text.empty()) return;
  bytes_ += text.size();
  if (!pieces_.empty() && pieces_.back().slice.size == 0 && pieces_.back().text.size() + text.size() <= kMostJoinedBytes) {
    pieces_.back().text += text;
    return;
  }
  pieces_.push_back(Piece{std::move(text), {}});
}

SocketOutput::Sent SocketOutput::Flush(int fd, size_t most_bytes) {
  while (!pieces_.empty()) {
    if (most_bytes == 0) return Sent::kSome;
    std::array<iovec, kMostPieces> parts;
    size_t count = 0;
    size_t left = most_bytes;
    for (; count < std::min(pieces_.size(), kMostPieces) && left > 0; ++count) {
      const size_t skipped = count == 0 ? first_sent_ : 0;
      // The kernel only reads it, but an iovec serves both ways.
      parts[count].iov_base = const_cast<char*>(pieces_[count].data()) + skipped;
      parts[count].iov_len = std::min(pieces_[count].size() - skipped, left);
      left -= parts[count].iov_len;
    }
    msghdr message{};
    message.msg_iov = parts.data();
    message.msg_iovlen = count;
    const ssize_t sent = sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent >= 0) {
      Drop(static_cast<size_t>(sent));
      most_bytes -= static_cast<size_t>(sent);
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      return Sent::kSome;
    } else if (errno != EINTR) {
      return Sent::kBroken;
    }
  }
  return Sent::kAll;
}

SocketOutput::Bytes SocketOutput::Peek(size_t skipped, size_t most, uint8_t* scratch) const {
  size_t at = first_sent_ + skipped;
  size_t joined = 0;
  for (const Piece& piece : pieces_) {
    if (at >= piece.size()) {
      at -= piece.size();
      continue;
    }
    const auto* bytes = reinterpret_cast<const uint8_t*>(piece.data()) + at;
    const size_t size = std::min(piece.size() - at, most - joined);
    if (joined == 0 && (size == most || &piece == &pieces_.back())) return {bytes, size};
    std::copy_n(bytes, size, scratch + joined);
    joined += size;
    at = 0;
    if (joined == most) break;
  }
  return {scratch, joined};
}

void SocketOutput::Drop(size_t bytes) {
  bytes_ -= bytes;
  sent_bytes_ += bytes;
  first_sent_ += bytes;
  while (!pieces_.empty() && first_sent_ >= pieces_.front().size()) {
    first_sent_ -= pieces_.front().size();
    pieces_.pop_front();
  }
}

}  // namespace penstock::transport
