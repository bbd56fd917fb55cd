#include "transport/receive_buffer.h"

#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace penstock::transport {
namespace {

// A shared block with less room than this is left to those who hold slices of it.
constexpr size_t kLeastRoomBytes = 4096;

// Bytes that can be received now; 0 also when there are none to come, or when the socket has failed.
size_t WaitingBytes(int fd) {
  int waiting = 0;
  return ioctl(fd, FIONREAD, &waiting) == 0 && waiting > 0 ? static_cast<size_t>(waiting) : 0;
}

ssize_t ReceiveInto(int fd, uint8_t* data, size_t size) {
  for (;;) {
    const ssize_t got = recv(fd, data, size, MSG_DONTWAIT);
    if (got >= 0 || errno != EINTR) return got;
  }
}

}  // namespace

ReceiveBuffer::Got ReceiveBuffer::Receive(int fd, size_t wanted, memory::Slice* slice) {
  std::shared_ptr<memory::Block> own;
  if (wanted > kBlockBytes) {
    // A block exactly as large as what is there: its memory counts as long as one byte of it is held. What is small shares a block.
    const size_t waiting = std::min({WaitingBytes(fd), wanted, kLargeBlockBytes});
    if (waiting >= kSmallBytes) {
      auto allocated = memory::BlockPool::Process().Allocate(waiting);
      if (!allocated.ok()) return Got::kNoMemory;
      own = std::move(allocated).value();
    }
  }
  if (own == nullptr && !MakeRoom(kLeastRoomBytes)) return Got::kNoMemory;
  const std::shared_ptr<memory::Block>& block = own != nullptr ? own : block_;
  const size_t offset = own != nullptr ? 0 : used_;
  const ssize_t got = ReceiveInto(fd, block->data() + offset, block->size() - offset);
  if (got < 0) return errno == EAGAIN || errno == EWOULDBLOCK ? Got::kNothing : Got::kBroken;
  if (got == 0) return Got::kEnd;
  const auto size = static_cast<size_t>(got);
  *slice = memory::Slice{block->data() + offset, size, block->kind(), block};
  if (own == nullptr) used_ += size;
  return Got::kBytes;
}

bool ReceiveBuffer::MakeRoom(size_t bytes) {
  if (block_ != nullptr && block_->size() - used_ >= bytes) return true;
  auto allocated = memory::BlockPool::Process().Allocate(kBlockBytes);
  if (!allocated.ok()) return false;
  block_ = std::move(allocated).value();
  used_ = 0;
  return true;
}

}  // namespace penstock::transport
