// Takes the messages of a unary gRPC call out of the bytes of its body: exactly one is wanted.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "frontend/grpc_stream.h"
#include "memory/block.h"
#include "memory/slice.h"

namespace penstock::frontend {

// [loop thread] The message stays in the slices that it came in, but for small pieces of it: each would keep a whole block of the receive
// buffer alive, so that a client could make a message hold many times its size.
class GrpcMessageReader {
 public:
  // Smaller pieces of a message are copied together; a message that comes whole is never copied.
  static constexpr size_t kLeastPieceBytes = 8 * 1024;

  enum class Read {
    kOk,
    kTooLarge,  // the message announced is, size() says by what
    kSecond,    // a second message has come
    kNoBudget,  // Loop::budget() is used up
    kNoMemory,
  };

  // The message counts in the loop's budget, and what is still to come of it in `shared`, until it is taken or this is destroyed.
  GrpcMessageReader(std::shared_ptr<GrpcShared> shared, uint64_t most_bytes) : shared_(std::move(shared)), most_bytes_(most_bytes) {}
  ~GrpcMessageReader() { Drop(); }
  GrpcMessageReader(const GrpcMessageReader&) = delete;
  GrpcMessageReader& operator=(const GrpcMessageReader&) = delete;

  // After anything but kOk it takes no more.
  Read Take(const memory::Slice& bytes);

  bool has_message() const { return has_message_; }
  uint32_t size() const { return size_; }  // of the message that was announced last
  // Of the message, that it is marked as compressed; in what, if in anything, the call says.
  bool is_compressed() const { return is_compressed_; }
  // It stays, and counts.
  memory::SliceChain message() const { return message_; }
  memory::SliceChain TakeMessage();
  // Forgets the message.
  void Drop();

 private:
  Read BeginMessage();
  Read Keep(const memory::Slice& piece);
  bool Gather(const memory::Slice& piece);
  void EndGathered();

  const std::shared_ptr<GrpcShared> shared_;
  const uint64_t most_bytes_;
  uint8_t prefix_[5] = {};
  size_t prefix_bytes_ = 0;
  uint32_t size_ = 0;
  uint32_t left_ = 0;          // of the message that is being read
  uint64_t awaited_ = 0;       // what of it counts in shared_
  uint64_t budget_bytes_ = 0;  // taken from the loop's
  bool has_message_ = false;
  bool is_compressed_ = false;
  memory::SliceChain message_;
  std::shared_ptr<memory::Block> gathered_;  // small pieces behind message_
  size_t gathered_begin_ = 0;  // those before it are in message_ already
  size_t gathered_end_ = 0;
};

}  // namespace penstock::frontend
