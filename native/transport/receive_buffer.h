// Memory that bytes of sockets are received into, once: whoever needs them keeps a slice of it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "memory/block.h"
#include "memory/slice.h"

namespace penstock::transport {

class ReceiveSource;

// One for each loop, for all of its connections: an idle one holds no memory. Not thread-safe; slices may be dropped by any thread.
class ReceiveBuffer {
 public:
  // Small messages share a block of this size.
  static constexpr size_t kBlockBytes = 64 * 1024;
  // Who keeps a piece smaller than this for long, or many of them, copies it: it may be all that is left of its block. Larger ones keep at
  // most four times their size.
  static constexpr size_t kSmallBytes = kBlockBytes / 4;
  // The rest of a large body comes in blocks of its own, of this size at most: memory is taken as bytes arrive.
  static constexpr size_t kLargeBlockBytes = 1024 * 1024;

  enum class Got { kBytes, kNothing, kEnd, kBroken, kNoMemory };  // kNothing: none is there now

  // Receives what is there, in one call. `wanted`: how much of a body is known to come; 0 = not known. Never more than that is received
  // when it is beyond kBlockBytes. `slice` is set with kBytes.
  Got Receive(int fd, size_t wanted, memory::Slice* slice);
  Got Receive(ReceiveSource* source, size_t wanted, memory::Slice* slice);

 private:
  bool MakeRoom(size_t bytes);

  std::shared_ptr<memory::Block> block_;
  size_t used_ = 0;
};

// Where bytes come from.
class ReceiveSource {
 public:
  virtual ~ReceiveSource() = default;
  // How many can be received now, about; 0 also when there are none to come.
  virtual size_t WaitingBytes() const = 0;
  // `size` at most. `got` is set with kBytes, and is not 0; never kNoMemory.
  virtual ReceiveBuffer::Got ReceiveInto(uint8_t* data, size_t size, size_t* got) = 0;
};

// Of a socket: 0 also when it has failed.
size_t WaitingBytes(int fd);

}  // namespace penstock::transport
