#include "frontend/http_input.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "memory/block.h"
#include "serving/test_model.h"
#include "transport/receive_buffer.h"

namespace penstock::frontend {
namespace {

using memory::Slice;
using serving::OwnedSlice;
using transport::Http1Parsed;
using transport::Http1RequestHead;

const std::string kHead = "GET /v2 HTTP/1.1\r\nHost: a\r\n\r\n";

std::string TextOf(const Slice& slice) { return std::string(reinterpret_cast<const char*>(slice.data), slice.size); }

TEST(HttpInput, LeavesAHeadThatComesWholeAndWhatFollowsItWhereTheyAre) {
  const Slice received = OwnedSlice(kHead + "body");
  HttpInput input;
  input.Add(received);
  Http1RequestHead head;
  ASSERT_EQ(input.ReadHead(&head), Http1Parsed::kWhole);
  EXPECT_EQ(input.TakeHead(head).data, received.data);
  EXPECT_EQ(input.bytes(), 4u);
  EXPECT_EQ(input.Take(100).data, received.data + kHead.size());
  EXPECT_TRUE(input.empty());
}

TEST(HttpInput, JoinsAHeadThatComesInPiecesAndNothingBehindIt) {
  for (size_t at = 1; at < kHead.size(); ++at) {
    HttpInput input;
    Http1RequestHead head;
    const Slice first = OwnedSlice(kHead.substr(0, at));
    const Slice second = OwnedSlice(kHead.substr(at) + "body");
    input.Add(first);
    ASSERT_EQ(input.ReadHead(&head), Http1Parsed::kPart);
    input.Gather();
    EXPECT_EQ(first.owner.use_count(), 1);  // who waits holds no block
    input.Add(second);
    ASSERT_EQ(input.ReadHead(&head), Http1Parsed::kWhole);
    const Slice taken = input.TakeHead(head);
    EXPECT_EQ(TextOf(taken), kHead);
    EXPECT_EQ(head.target, "/v2");
    EXPECT_EQ(static_cast<const void*>(head.method.data()), taken.data);
    EXPECT_EQ(input.Take(100).data, second.data + kHead.size() - at);
  }
}

TEST(HttpInput, ReadsHalfAHeadAgainOnlyWhenALineHasCome) {
  HttpInput input;
  Http1RequestHead head;
  input.Add(OwnedSlice("GET /v2 HTTP/1.1\r\n"));
  EXPECT_EQ(input.ReadHead(&head), Http1Parsed::kPart);
  input.Add(OwnedSlice("not a"));
  EXPECT_EQ(input.ReadHead(&head), Http1Parsed::kPart);
  input.Add(OwnedSlice(" field\r\n"));
  EXPECT_EQ(input.ReadHead(&head), Http1Parsed::kRefused);
}

TEST(HttpInput, ReadsWhatFollowsHalfAHeadThatWasTaken) {
  HttpInput input;
  Http1RequestHead head;
  input.Add(OwnedSlice("GET"));
  EXPECT_EQ(input.ReadHead(&head), Http1Parsed::kPart);
  EXPECT_EQ(input.TakeAll().size(), 1u);
  input.Add(OwnedSlice(" "));
  EXPECT_EQ(input.ReadHead(&head), Http1Parsed::kRefused);
}

TEST(HttpInput, LetsGoOfWhatCrumbsWereReceivedInto) {
  HttpInput input;
  const Slice received = OwnedSlice("abcdefg");
  const uint64_t before = memory::BlockPool::Process().live_bytes();
  std::string expected;
  for (size_t i = 0; i < 30'000; ++i) {
    input.Add(received.Sub(i % 7, 1));
    expected += "abcdefg"[i % 7];
    input.Gather();
    ASSERT_EQ(received.owner.use_count(), 1);
    ASSERT_LE(memory::BlockPool::Process().live_bytes() - before, 3 * expected.size());
  }
  EXPECT_EQ(input.bytes(), expected.size());
  std::string all;
  size_t pieces = 0;
  while (!input.empty()) {
    all += TextOf(input.Take(20'000));
    ++pieces;
  }
  EXPECT_TRUE(all == expected);
  EXPECT_LT(pieces, 20u);
  EXPECT_EQ(memory::BlockPool::Process().live_bytes(), before);
}

TEST(HttpInput, KeepsTheOrderOfCrumbsAndLargePiecesAndCopiesOnlyCrumbs) {
  HttpInput input;
  std::string expected;
  std::vector<Slice> large;
  for (int i = 0; i < 100; ++i) {
    const Slice piece = OwnedSlice(std::string(i % 9 == 0 ? transport::ReceiveBuffer::kSmallBytes : 3, static_cast<char>('a' + i % 26)));
    if (i % 9 == 0) large.push_back(piece);
    input.Add(piece);
    if (i % 4 != 0) input.Gather();
    expected += TextOf(piece);
  }
  for (const Slice& piece : large) EXPECT_EQ(piece.owner.use_count(), 2);
  std::string all;
  for (const Slice& piece : input.TakeAll()) all += TextOf(piece);
  EXPECT_TRUE(all == expected);
}

TEST(HttpInput, KeepsCrumbsWhereTheyAreWhenThereIsNoMemory) {
  HttpInput input;
  const Slice received = OwnedSlice("crumb");
  memory::BlockPool& pool = memory::BlockPool::Process();
  const uint64_t limit = pool.limit_bytes();
  pool.set_limit_bytes(pool.live_bytes() + 1);
  input.Add(received);
  input.Gather();
  pool.set_limit_bytes(limit);
  EXPECT_EQ(received.owner.use_count(), 2);
  input.Gather();
  EXPECT_EQ(received.owner.use_count(), 1);
  EXPECT_EQ(TextOf(input.Take(100)), "crumb");
}

TEST(HttpInput, RefusesAHeadThatIsTooLargeAndStillHasAllOfIt) {
  HttpInput input;
  Http1RequestHead head;
  const std::string begin = "GET /v2 HTTP/1.1\r\nHost: a\r\nX: ";
  std::string sent;
  const auto add = [&](const std::string& bytes) {
    sent += bytes;
    input.Add(OwnedSlice(bytes));
    return input.ReadHead(&head);
  };
  EXPECT_EQ(add(begin), Http1Parsed::kPart);
  EXPECT_EQ(add(std::string(10'000, 'x')), Http1Parsed::kPart);
  EXPECT_EQ(add(std::string(10'000, 'x')), Http1Parsed::kRefused);
  std::string all;
  for (const Slice& piece : input.TakeAll()) all += TextOf(piece);
  EXPECT_TRUE(all == sent);
  EXPECT_TRUE(input.empty());
}

}  // namespace
}  // namespace penstock::frontend
