#include "transport/receive_buffer.h"

#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace penstock::transport {
namespace {

// A shared block with less room than this is left to those who hold slices of it.
constexpr size_t kLeastRoomBytes = 4096;

class SocketSource : public ReceiveSource {
 public:
  explicit SocketSource(int fd) : fd_(fd) {}
  size_t WaitingBytes() const override { return transport::WaitingBytes(fd_); }
  ReceiveBuffer::Got ReceiveInto(uint8_t* data, size_t size, size_t* got) override {
    ssize_t received = 0;
    do {
      received = recv(fd_, data, size, MSG_DONTWAIT);
    } while (received < 0 && errno == EINTR);
    if (received < 0) return errno == EAGAIN || errno == EWOULDBLOCK ? ReceiveBuffer::Got::kNothing : ReceiveBuffer::Got::kBroken;
    *got = static_cast<size_t>(received);
    return received == 0 ? ReceiveBuffer::Got::kEnd : ReceiveBuffer::Got::kBytes;
  }

 private:
  const int fd_;
};

}  // namespace

size_t WaitingBytes(int fd) {
  int waiting = 0;
  return ioctl(fd, FIONREAD, &waiting) == 0 && waiting > 0 ? static_cast<size_t>(waiting) : 0;
}

ReceiveBuffer::Got ReceiveBuffer::Receive(int fd, size_t wanted, memory::Slice* slice) {
  SocketSource source(fd);
  return Receive(&source, wanted, slice);
}

ReceiveBuffer::Got ReceiveBuffer::Receive(ReceiveSource* source, size_t wanted, memory::Slice* slice) {
  std::shared_ptr<memory::Block> own;
  if (wanted > kBlockBytes) {
    // A block exactly as large as what is there: its memory counts as long as one byte of it is held. What is small shares a block.
    const size_t waiting = std::min({source->WaitingBytes(), wanted, kLargeBlockBytes});
    if (waiting >= kSmallBytes) {
      auto allocated = memory::BlockPool::Process().Allocate(waiting);
      if (!allocated.ok()) return Got::kNoMemory;
      own = std::move(allocated).value();
    }
  }
  if (own == nullptr && !MakeRoom(kLeastRoomBytes)) return Got::kNoMemory;
  memory::Block& block = own != nullptr ? *own : *block_;
  const size_t offset = own != nullptr ? 0 : used_;
  size_t size = 0;
  const Got got = source->ReceiveInto(block.data() + offset, block.size() - offset, &size);
  if (got != Got::kBytes) return got;
  if (own != nullptr && size < own->size() / 4) {
    // Records of TLS may hold far less than they are long.
    auto fitting = memory::BlockPool::Process().Allocate(size);
    if (!fitting.ok()) return Got::kNoMemory;
    std::memcpy(fitting.value()->data(), own->data(), size);
    own = std::move(fitting).value();
  }
  const std::shared_ptr<memory::Block>& holder = own != nullptr ? own : block_;
  *slice = memory::Slice{holder->data() + offset, size, holder->kind(), holder};
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
