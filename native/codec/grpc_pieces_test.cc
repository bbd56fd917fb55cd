#include "codec/grpc_pieces.h"

#include <gtest/gtest.h>

#include <numeric>
#include <string>
#include <vector>

#include "codec/grpc_test_pieces.h"
#include "memory/block.h"

namespace penstock::codec {
namespace {

std::vector<size_t> EveryByte(size_t bytes) {
  std::vector<size_t> cuts(bytes);
  std::iota(cuts.begin(), cuts.end(), size_t{0});
  return cuts;
}

std::string TextOf(const MessagePieces& pieces) { return std::string(reinterpret_cast<const char*>(pieces.text.data), pieces.text.size); }

TEST(GrpcPieces, LeaveRawContentsWhereTheyAreAndJoinTheRest) {
  const Wire message = Wire().Text(1, "m").Text(7, "first").Text(3, "id").Text(7, "").Text(7, std::string(300, 'x')).Varint(9, 1);
  for (const std::vector<size_t>& cuts : {std::vector<size_t>{1}, std::vector<size_t>{7, 100, 101}, EveryByte(message.bytes().size())}) {
    const memory::SliceChain chain = InPieces(message.bytes(), cuts);
    const Result<MessagePieces> pieces = TakeOutRawContents(chain, 3);
    ASSERT_TRUE(pieces.ok());
    EXPECT_EQ(TextOf(pieces.value()),
              Wire().Text(1, "m").Tag(7, 2).Number(5).Text(3, "id").Text(7, "").Tag(7, 2).Number(300).Varint(9, 1).bytes());
    ASSERT_EQ(pieces.value().raw.size(), 3u);
    EXPECT_EQ(BytesOf(pieces.value().raw[0]), "first");
    EXPECT_TRUE(pieces.value().raw[1].empty());
    EXPECT_EQ(BytesOf(pieces.value().raw[2]), std::string(300, 'x'));
    for (const memory::SliceChain& raw : pieces.value().raw) {
      for (const memory::Slice& slice : raw.slices()) EXPECT_TRUE(LiesIn(slice, chain));
    }
  }
}

TEST(GrpcPieces, JoinNothingBehindAFieldThatNobodyCanRead) {
  const uint64_t before = memory::BlockPool::Process().live_bytes();
  const std::string rest(1 << 20, '\0');
  const std::vector<std::string> broken = {Wire().Tag(8, 3).bytes(), Wire().Tag(7, 2).Number(UINT64_MAX).bytes(),
                                           Wire().Tag(1, 2).Number(rest.size() + 1).bytes(), std::string(11, '\xFF')};
  for (const std::string& field : broken) {
    const std::string bytes = Wire().Text(1, "m").Raw(field).Raw(rest).bytes();
    const Result<MessagePieces> pieces = TakeOutRawContents(InPieces(bytes, {5, 1000}), 1024);
    ASSERT_TRUE(pieces.ok());
    EXPECT_LE(pieces.value().text.size, 3 + 20u);
    EXPECT_EQ(DecodeEveryWay(bytes).status().code(), StatusCode::kRequestProtobuf);
  }
  EXPECT_EQ(memory::BlockPool::Process().live_bytes(), before);
}

TEST(GrpcPieces, KeepNothingBehindTheLastRawContentsThatAreAllowed) {
  const Wire message = Wire().Text(1, "m").Text(7, "a").Text(7, "b").Text(7, std::string(5000, 'c'));
  const Result<MessagePieces> pieces = TakeOutRawContents(InPieces(message.bytes(), {4}), 2);
  ASSERT_TRUE(pieces.ok());
  EXPECT_EQ(pieces.value().raw.size(), 2u);
  EXPECT_LE(pieces.value().text.size, 7 + 20u);
  CodecLimits limits;
  limits.max_tensors = 2;
  EXPECT_EQ(DecodeEveryWay(message.bytes(), limits).status().code(), StatusCode::kRequestField);
}

TEST(GrpcPieces, PlaceComplaintsInTheWholeMessage) {
  const std::string raw(1000, 'r');
  const auto message = [&raw](const Wire& after) { return Wire().Text(1, "m").Text(7, raw).Raw(after.bytes()).bytes(); };
  const auto complaint = [](const std::string& bytes) { return DecodeEveryWay(bytes).status().message(); };
  EXPECT_NE(complaint(message(Wire().Text(3, "a\xFF"))).find(" at byte 1009,"), std::string::npos);
  EXPECT_NE(complaint(message(Wire().Tag(3, 2).Number(9).Raw("abc"))).find("found 3 bytes left at byte 1008, expected 9 bytes"),
            std::string::npos);
  EXPECT_NE(complaint(message(Wire().Raw("\x80"))).find("a varint cut off at byte 1007,"), std::string::npos);
  const Wire cut_off = Wire().Text(1, "X").Tag(2, 2).Number(100);
  const std::string before = Wire().Text(1, "m").Message(5, cut_off).Text(7, raw).bytes();
  EXPECT_NE(complaint(before).find("found 0 bytes left at byte 10,"), std::string::npos);
  EXPECT_NE(complaint(message(Wire().Message(5, cut_off))).find("found 0 bytes left at byte 1013,"), std::string::npos);
  EXPECT_NE(complaint(Wire().Tag(3, 2).Number(2000).Text(7, raw).bytes()).find("found 1003 bytes left at byte 3,"), std::string::npos);
}

TEST(GrpcPieces, MeanWhatTheWholeMessageMeansHoweverTheyAreCut) {
  std::minstd_rand random(7);
  for (int round = 0; round < 300; ++round) {
    Wire message = Wire().Text(1, "m");
    const size_t fields = random() % 12;
    for (size_t i = 0; i < fields; ++i) {
      const std::string text(random() % 40, static_cast<char>('a' + i));
      switch (random() % 6) {
        case 0:
          message.Message(5, Wire().Text(1, text).Text(2, "UINT8").Varint(3, text.size()));
          break;
        case 1:
          message.Message(6, Wire().Text(1, text));
          break;
        case 2:
          message.Varint(50, random()).Tag(51, 1).Plain(1.0).Tag(52, 5).Plain(1.0f);
          break;
        case 3:
          message.Text(static_cast<uint32_t>(1 + random() % 9), text);
          break;
        default:
          message.Message(5, Wire().Text(1, "X" + std::to_string(i)).Text(2, "BYTES").Varint(3, 1)).Text(7, text);
      }
    }
    std::string bytes = message.bytes();
    if (round % 3 == 1) bytes.resize(random() % (bytes.size() + 1));
    if (round % 3 == 2) bytes[random() % bytes.size()] = static_cast<char>(random());
    const Result<serving::InferRequest> whole = DecodeEveryWay(bytes);
    ExpectSameInPieces(whole, InPieces(bytes, EveryByte(bytes.size())), {});
    if (HasFatalFailure()) FAIL() << "round " << round;
  }
}

TEST(GrpcPieces, AreRefusedWhenTensorMemoryIsUsedUp) {
  memory::BlockPool& pool = memory::BlockPool::Process();
  const uint64_t limit = pool.limit_bytes();
  pool.set_limit_bytes(pool.live_bytes() + 1);
  EXPECT_EQ(DecodeModelInferRequest(InPieces(FromHex(kRawRequest), {9}), {}).status().code(), StatusCode::kMemory);
  pool.set_limit_bytes(limit);
}

TEST(GrpcPieces, MayBeNone) { EXPECT_EQ(DecodeModelInferRequest(memory::SliceChain(), {}).status().code(), StatusCode::kRequestField); }

}  // namespace
}  // namespace penstock::codec
