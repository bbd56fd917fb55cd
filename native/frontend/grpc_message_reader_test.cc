#include "frontend/grpc_message_reader.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "frontend/grpc_test_client.h"
#include "frontend/test_engine.h"
#include "serving/test_model.h"

namespace penstock::frontend {
namespace {

using Read = GrpcMessageReader::Read;

class GrpcMessageReaderTest : public testing::Test {
 protected:
  GrpcMessageReaderTest() {
    FrontEndOptions options;
    options.max_receiving_bytes = 100'000;
    shared_->loop = (loop_ = Loop::Start(options, &engine_.engine, codec::CodecLimits{}, {}, nullptr, nullptr, 0).value()).get();
  }

  static std::string TextOf(const memory::SliceChain& chain) {
    std::string text(chain.size(), '\0');
    chain.CopyTo(reinterpret_cast<uint8_t*>(text.data()));
    return text;
  }
  static std::string Message(size_t bytes) {
    std::string message;
    for (size_t i = 0; i < bytes; ++i) message.push_back(static_cast<char>(i * 7 + i / 256));
    return message;
  }
  // Bytes that nobody has taken of the budget.
  uint64_t Free() {
    uint64_t free = 0;
    while (shared_->loop->budget().Take(1)) ++free;
    shared_->loop->budget().GiveBack(free);
    return free;
  }

  TestEngine engine_;
  std::shared_ptr<Loop> loop_;
  const std::shared_ptr<GrpcShared> shared_ = std::make_shared<GrpcShared>();
};

TEST_F(GrpcMessageReaderTest, ReadsAMessageCutAtAnyTwoPlaces) {
  const std::string body = Framed(Message(20));
  for (size_t first = 0; first <= body.size(); ++first) {
    for (size_t second = first; second <= body.size(); ++second) {
      GrpcMessageReader reader(shared_, 100);
      for (const std::string& piece : {body.substr(0, first), body.substr(first, second - first), body.substr(second)}) {
        ASSERT_EQ(reader.Take(serving::OwnedSlice(piece)), Read::kOk);
      }
      ASSERT_TRUE(reader.has_message());
      ASSERT_EQ(TextOf(reader.TakeMessage()), Message(20));
    }
  }
}

TEST_F(GrpcMessageReaderTest, CopiesNoMessageThatComesWhole) {
  const memory::Slice body = serving::OwnedSlice(Framed(Message(20)));
  GrpcMessageReader reader(shared_, 100);
  ASSERT_EQ(reader.Take(body), Read::kOk);
  const memory::SliceChain message = reader.TakeMessage();
  ASSERT_EQ(message.slices().size(), 1u);
  EXPECT_EQ(message.slices()[0].data, body.data + 5);
}

TEST_F(GrpcMessageReaderTest, CopiesNoLargePieces) {
  const std::string body = Framed(Message(50'000));
  GrpcMessageReader reader(shared_, 100'000);
  const memory::Slice first = serving::OwnedSlice(body.substr(0, 20'000));
  const memory::Slice second = serving::OwnedSlice(body.substr(20'000, 100));
  const memory::Slice third = serving::OwnedSlice(body.substr(20'100));
  for (const memory::Slice& piece : {first, second, third}) ASSERT_EQ(reader.Take(piece), Read::kOk);
  const memory::SliceChain message = reader.TakeMessage();
  ASSERT_EQ(message.slices().size(), 3u);
  EXPECT_EQ(message.slices()[0].data, first.data + 5);
  EXPECT_NE(message.slices()[1].data, second.data);
  EXPECT_EQ(message.slices()[2].data, third.data);
  EXPECT_EQ(TextOf(message), Message(50'000));
}

// Each piece stands for a block of the receive buffer that it would keep.
TEST_F(GrpcMessageReaderTest, KeepsNothingOfWhatSmallPiecesCameIn) {
  const std::string body = Framed(Message(40'000));
  GrpcMessageReader reader(shared_, 100'000);
  const memory::Slice all = serving::OwnedSlice(body);
  const auto held = all.owner.use_count();
  for (size_t at = 0; at < body.size(); at += 10) ASSERT_EQ(reader.Take(all.Sub(at, std::min<size_t>(10, body.size() - at))), Read::kOk);
  EXPECT_EQ(all.owner.use_count(), held);
  const memory::SliceChain message = reader.TakeMessage();
  EXPECT_LE(message.slices().size(), 4u);
  EXPECT_EQ(TextOf(message), Message(40'000));
}

TEST_F(GrpcMessageReaderTest, CountsWhatIsHereAndWhatIsToCome) {
  const uint64_t all = Free();
  {
    GrpcMessageReader reader(shared_, 100'000);
    const std::string body = Framed(Message(30'000));
    ASSERT_EQ(reader.Take(serving::OwnedSlice(body.substr(0, 10'005))), Read::kOk);
    EXPECT_EQ(shared_->awaited_bytes, 20'000u);
    EXPECT_EQ(Free(), all - 10'000);
    GrpcMessageReader other(shared_, 100'000);
    const std::string large = Framed(Message(95'000));
    EXPECT_EQ(other.Take(serving::OwnedSlice(large)), Read::kNoBudget);
    ASSERT_EQ(reader.Take(serving::OwnedSlice(body.substr(10'005))), Read::kOk);
    EXPECT_EQ(Free(), all - 30'000);
    reader.TakeMessage();
    EXPECT_EQ(Free(), all);
  }
  EXPECT_EQ(shared_->awaited_bytes, 0u);
}

TEST_F(GrpcMessageReaderTest, KeepsNothingOfASecondMessage) {
  const uint64_t all = Free();
  GrpcMessageReader reader(shared_, 100'000);
  ASSERT_EQ(reader.Take(serving::OwnedSlice(Framed(""))), Read::kOk);
  const std::string second = Framed(Message(1000));
  ASSERT_EQ(reader.Take(serving::OwnedSlice(second.substr(0, 900))), Read::kOk);
  EXPECT_EQ(Free(), all);
  EXPECT_EQ(shared_->awaited_bytes, 0u);
  EXPECT_EQ(reader.Take(serving::OwnedSlice(second.substr(900))), Read::kSecond);
}

TEST_F(GrpcMessageReaderTest, RefusesALengthBeforeItComes) {
  GrpcMessageReader reader(shared_, 100);
  EXPECT_EQ(reader.Take(serving::OwnedSlice(Framed(std::string(101, 'x')).substr(0, 5))), Read::kTooLarge);
  EXPECT_EQ(reader.size(), 101u);
}

}  // namespace
}  // namespace penstock::frontend
