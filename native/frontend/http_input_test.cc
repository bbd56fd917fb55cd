#include "frontend/http_input.h"

#include <gtest/gtest.h>

#include <string>

#include "serving/test_model.h"

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
