// An answer on its way through zlib, a piece a turn, so that a large one holds nobody up.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "codec/http_reply.h"
#include "frontend/answer_encoding.h"
#include "frontend/zlib_streams.h"
#include "memory/slice.h"
#include "serving/engine.h"
#include "transport/event_loop.h"
#include "transport/zlib_api.h"

namespace penstock::frontend {

// [loop thread] The same bytes as compress() of src/frontend/http/compression.ts makes with the same zlib. Destroyed by EventLoop::Retire.
class AnswerCompression : public transport::EventHandler {
 public:
  // Of the answer that a Run takes: about half a millisecond.
  static constexpr size_t kTurnBytes = 64 * 1024;
  // Of the compressed answer, in one allocation. The first is not charged: what they hold in all is bounded by the number of connections.
  static constexpr size_t kBlockBytes = 64 * 1024;

  enum class Ran : uint8_t { kMore, kWhole, kFailed };

  // Null, and `reply` untouched, when there is no memory. `streams` outlive it. `on_turn`: what AtTurnEnd leads to. The engine is charged
  // for what is compressed as long as that lives.
  static std::unique_ptr<AnswerCompression> Begin(ZlibStreams* streams, AnswerEncoding encoding, codec::HttpReply* reply,
                                                  serving::Engine* engine, std::function<void()> on_turn);
  ~AnswerCompression() override;
  AnswerCompression(const AnswerCompression&) = delete;
  AnswerCompression& operator=(const AnswerCompression&) = delete;

  // One Run is not enough.
  bool takes_turns() const { return bytes_ > kTurnBytes; }

  // Compresses the next kTurnBytes, and lets go of each part of the answer that is through. kFailed: no memory; nothing else may follow.
  Ran Run();
  // After kWhole, once.
  std::vector<memory::Slice> TakePieces() { return std::move(pieces_); }

  void OnReady(uint32_t) override {}
  void OnTurnEnd() override { on_turn_(); }

 private:
  struct Block;

  AnswerCompression(ZlibStreams* streams, AnswerEncoding encoding, serving::Engine* engine, uint64_t bytes,
                    std::function<void()> on_turn)
      : streams_(streams), encoding_(encoding), engine_(engine), bytes_(bytes), on_turn_(std::move(on_turn)) {}
  bool Start();
  // All of it; false when there is no memory.
  bool Deflate(const uint8_t* bytes, size_t size, int flush);
  bool AddBlock(size_t bytes);
  void EndBlock();

  ZlibStreams* const streams_;
  const AnswerEncoding encoding_;
  serving::Engine* const engine_;
  const uint64_t bytes_;  // of the answer
  const std::function<void()> on_turn_;
  std::unique_ptr<transport::ZlibStream> stream_;  // of `streams_`
  std::vector<memory::Slice> parts_;  // of the answer
  size_t part_ = 0;                   // where it goes on
  size_t part_taken_ = 0;
  std::shared_ptr<Block> block_;      // which is being filled
  std::vector<memory::Slice> pieces_;
};

}  // namespace penstock::frontend
