// What a client has compressed, on its way through zlib, a piece a turn: a large one, or a small one that becomes large, holds nobody up.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "frontend/answer_encoding.h"
#include "frontend/loop.h"
#include "memory/block.h"
#include "memory/slice.h"
#include "transport/event_loop.h"
#include "transport/zlib_api.h"

namespace penstock::frontend {

// [loop thread] Takes for a body what Gunzip and Inflate of Node take for one: of gzip any number of members, and nothing of what stands
// behind a zero byte after one of them, or behind the end of deflate. Destroyed by EventLoop::Retire.
class RequestDecompression : public transport::EventHandler {
 public:
  // Of what comes in, and of what comes out, that a Run takes and makes.
  static constexpr size_t kTurnBytes = 64 * 1024;
  // Of the body, in one allocation.
  static constexpr size_t kBlockBytes = 64 * 1024;

  enum class Ran : uint8_t {
    kMore,
    kWhole,
    kBroken,    // the client's bytes are, or they end too early: fault() says how
    kTooLarge,  // more than `most_bytes`
    kNoBudget,
    kNoMemory,
  };

  // `most_bytes` of the body; 0 = no limit. `loop` outlives it; what it makes counts in its budget, and zlib's memory when one Run is not
  // enough. `on_turn`: what AtTurnEnd leads to.
  RequestDecompression(Loop* loop, AnswerEncoding encoding, uint64_t most_bytes, const memory::SliceChain& compressed,
                       std::function<void()> on_turn);
  ~RequestDecompression() override { Close(); }
  RequestDecompression(const RequestDecompression&) = delete;
  RequestDecompression& operator=(const RequestDecompression&) = delete;

  // After anything but kMore nothing else may follow.
  Ran Run();
  // As node:zlib says it.
  const std::string& fault() const { return fault_; }
  // After kWhole, once. It counts until Close.
  memory::SliceChain TakeBody();
  // Gives all back, to the budget as well. May be repeated.
  void Close();

  void OnReady(uint32_t) override {}
  void OnTurnEnd() override { on_turn_(); }

 private:
  // Through zlib once. `most`: of the part that is being read.
  Ran Inflate(size_t most, int flush);
  int InflateMembers(int flush);
  Ran Failed(int result);
  Ran Made(size_t bytes);
  bool Charge(uint64_t bytes);
  void EndBody();
  void EndWork();

  Loop* const loop_;
  const AnswerEncoding encoding_;
  const uint64_t most_bytes_;
  const std::function<void()> on_turn_;
  std::unique_ptr<transport::ZlibStream> stream_;  // of the loop's
  std::vector<memory::Slice> parts_;  // of what comes in
  size_t part_ = 0;                   // where it goes on
  size_t part_taken_ = 0;
  bool is_over_ = false;              // what else comes in means nothing
  bool is_full_ = false;              // zlib may have more without more coming in
  bool is_work_charged_ = false;
  uint64_t charged_ = 0;
  uint64_t bytes_ = 0;                // of the body
  memory::SliceChain body_;           // all but what is in the block
  std::shared_ptr<memory::Block> block_;
  size_t used_ = 0;                   // of it
  std::string fault_;
};

}  // namespace penstock::frontend
