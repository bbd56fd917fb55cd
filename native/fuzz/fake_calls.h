// Whoever answers the calls of a GrpcSession under a fuzzer, as the choices of the input say, and notes what the session may not do.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "frontend/grpc_session.h"
#include "frontend/grpc_stream.h"
#include "memory/slice.h"

namespace penstock::fuzz {

class FakeCalls : public frontend::GrpcSession::Owner {
 public:
  // What is done with a call; bits of a choice.
  enum Manner : uint8_t {
    kConsumes = 1,     // what it is given, at once; otherwise when a step says so
    kAnswersAtEnd = 2,  // from inside OnEnd
    kAnswersAtHead = 4,  // from inside OnCall
    kResets = 8,       // from inside the second OnData
    kWantsNothing = 16,  // OnCall gives null
    kSendsMore = 32,   // from inside OnTaken, once
  };

  explicit FakeCalls(uint8_t manner) : manner_(manner) {}

  std::unique_ptr<frontend::GrpcStream> OnCall(const std::vector<frontend::HeaderField>& fields, bool ends,
                                               frontend::GrpcAnswer* answer) override;
  void OnUnsent() override {}

  // One step of an answer of the `number`th call that is open; `amount` in bytes, or an error.
  enum class Act : uint8_t { kHead, kOnlyHead, kData, kTrailers, kReset, kConsume, kAll, kCount };
  void Do(Act act, size_t number, size_t amount);

  // Null, or what the session has done wrong.
  const char* broken() const { return broken_; }
  size_t open() const { return open_.size(); }
  // Of answers given to streams.
  uint64_t given_bytes() const { return given_bytes_; }
  // Of bodies that are held.
  size_t held_bytes() const { return held_bytes_; }

 private:
  class Call;
  void Expect(bool holds, const char* sentence) {
    if (!holds && broken_ == nullptr) broken_ = sentence;
  }

  const uint8_t manner_;
  const char* broken_ = nullptr;
  std::map<size_t, Call*> open_;  // by the order they came in
  size_t calls_ = 0;
  uint64_t given_bytes_ = 0;
  size_t held_bytes_ = 0;
};

}  // namespace penstock::fuzz
