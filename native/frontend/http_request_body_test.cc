#include "frontend/http_request_body.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "memory/block.h"
#include "serving/test_model.h"

namespace penstock::frontend {
namespace {

using memory::Slice;
using memory::SliceChain;
using serving::OwnedSlice;

std::string TextOf(const SliceChain& chain) {
  std::string text(chain.size(), '\0');
  chain.CopyTo(reinterpret_cast<uint8_t*>(text.data()));
  return text;
}

TEST(HttpRequestBody, KeepsTheSlicesThatItIsGiven) {
  ByteBudget budget(0);
  HttpRequestBody body;
  body.Open(300'000, &budget);
  std::vector<Slice> pieces;
  for (int i = 0; i < 3; ++i) pieces.push_back(OwnedSlice(std::string(100'000, static_cast<char>('a' + i))));
  for (const Slice& piece : pieces) ASSERT_TRUE(body.Add(piece).ok());
  EXPECT_EQ(body.missing(), 0u);
  const SliceChain chain = body.Take();
  ASSERT_EQ(chain.slices().size(), 3u);
  for (size_t i = 0; i < 3; ++i) EXPECT_EQ(chain.slices()[i].data, pieces[i].data);
}

TEST(HttpRequestBody, KeepsABodyOfTwoSmallPiecesWhereItIs) {
  ByteBudget budget(0);
  HttpRequestBody body;
  body.Open(10, &budget);
  const Slice first = OwnedSlice("first");
  const Slice second = OwnedSlice("again");
  ASSERT_TRUE(body.Add(first).ok());
  ASSERT_TRUE(body.Add(second).ok());
  const SliceChain chain = body.Take();
  ASSERT_EQ(chain.slices().size(), 2u);
  EXPECT_EQ(chain.slices()[0].data, first.data);
  EXPECT_EQ(chain.slices()[1].data, second.data);
}

TEST(HttpRequestBody, GathersABodyOfCrumbsAndLetsGoOfWhatTheyWereReceivedInto) {
  ByteBudget budget(0);
  HttpRequestBody body;
  const size_t crumbs = 200'000;
  body.Open(crumbs, &budget);
  const Slice received = OwnedSlice("abcdefg");
  std::string expected;
  for (size_t i = 0; i < crumbs; ++i) {
    ASSERT_TRUE(body.Add(received.Sub(i % 7, 1)).ok());
    expected += "abcdefg"[i % 7];
    // One here, and the first and the last of the body.
    ASSERT_LE(received.owner.use_count(), i + 1 == crumbs ? 3 : 2);
  }
  const SliceChain chain = body.Take();
  EXPECT_LT(chain.slices().size(), 20u);
  EXPECT_TRUE(TextOf(chain) == expected);
}

TEST(HttpRequestBody, HoldsAFewTimesWhatHasComeHoweverMuchIsToCome) {
  const uint64_t before = memory::BlockPool::Process().live_bytes();
  ByteBudget budget(0);
  HttpRequestBody body;
  body.Open(uint64_t{1} << 30, &budget);
  uint64_t come = 0;
  for (size_t size = 1; size < HttpRequestBody::kSmallBytes; size += size / 3 + 1) {
    ASSERT_TRUE(body.Add(OwnedSlice(std::string(size, 'x'))).ok());
    come += size;
    ASSERT_LE(memory::BlockPool::Process().live_bytes() - before, 3 * come + 1024) << come;
  }
}

TEST(HttpRequestBody, KeepsTheOrderOfCrumbsAndLargePieces) {
  ByteBudget budget(0);
  HttpRequestBody body;
  body.Open(10'000'000, &budget);
  std::string expected;
  for (int i = 0; i < 300; ++i) {
    const std::string piece(i % 5 == 0 ? HttpRequestBody::kSmallBytes : 3, static_cast<char>('a' + i % 26));
    ASSERT_TRUE(body.Add(OwnedSlice(piece)).ok());
    expected += piece;
  }
  EXPECT_TRUE(TextOf(body.Take()) == expected);
}

TEST(HttpRequestBody, CountsAgainstTheBudgetUntilItIsDropped) {
  ByteBudget budget(100);
  HttpRequestBody body;
  body.Open(200, &budget);
  ASSERT_TRUE(body.Add(OwnedSlice(std::string(60, 'x'))).ok());
  const Status refused = body.Add(OwnedSlice(std::string(41, 'x')));
  EXPECT_EQ(refused.code(), StatusCode::kInFlightFull);
  EXPECT_EQ(refused.message(), "this front-end thread is taking in its part of --max-receiving-bytes already, 100 bytes; try again later");
  EXPECT_EQ(body.missing(), 140u);
  const SliceChain taken = body.Take();
  EXPECT_FALSE(budget.Take(41));
  body.Drop();
  EXPECT_TRUE(budget.Take(100));
  EXPECT_EQ(taken.size(), 60u);
}

TEST(HttpRequestBody, OfChunksIsBoundedInBytes) {
  ByteBudget budget(1000);
  HttpRequestBody body;
  body.OpenChunked(10, &budget);
  ASSERT_TRUE(body.Add(OwnedSlice("12345")).ok());
  ASSERT_TRUE(body.Add(OwnedSlice("67890")).ok());
  const Status beyond = body.Add(OwnedSlice("1"));
  EXPECT_EQ(beyond.code(), StatusCode::kRequestTooLarge);
  EXPECT_EQ(beyond.message(), "the body is larger than the limit of 10 bytes");
  body.Drop();
  EXPECT_TRUE(budget.Take(1000));
}

TEST(HttpRequestBody, OfChunksIsBoundedInTheirNumberAndHoldsLittleMoreThanTheirBytes) {
  ByteBudget budget(0);
  HttpRequestBody body;
  body.OpenChunked(0, &budget);
  const Slice received = OwnedSlice("x");
  const uint64_t before = memory::BlockPool::Process().live_bytes();
  for (uint32_t i = 0; i < HttpRequestBody::kMostPieces; ++i) ASSERT_TRUE(body.Add(received).ok()) << i;
  EXPECT_LT(memory::BlockPool::Process().live_bytes() - before, 4u * HttpRequestBody::kMostPieces);
  EXPECT_EQ(body.Add(received).message(), "the body comes in more than 65536 chunks");
}

}  // namespace
}  // namespace penstock::frontend
