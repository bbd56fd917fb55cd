#include "transport/socket_output.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "transport/test_peers.h"

namespace penstock::transport {
namespace {

memory::Slice Owned(const std::string& text) {
  const auto owner = std::make_shared<const std::string>(text);
  return memory::Slice{reinterpret_cast<const uint8_t*>(owner->data()), owner->size(), memory::MemoryKind::kPageable, owner};
}

// What the kernel has for `fd` now.
std::string ReceiveAll(const FileDescriptor& fd) {
  std::string text;
  std::vector<char> buffer(65536);
  for (;;) {
    const ssize_t got = recv(fd.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (got <= 0) return text;
    text.append(buffer.data(), static_cast<size_t>(got));
  }
}

// Different at every place, so that a lost or doubled byte shows.
std::string Pattern(size_t size) {
  std::string text(size, '\0');
  for (size_t i = 0; i < size; ++i) text[i] = static_cast<char>((i * 2654435761u) >> 13);
  return text;
}

TEST(SocketOutputTest, SendsTextsAndSlicesInTheOrderInWhichTheyCame) {
  auto [ours, theirs] = SocketPair();
  SocketOutput output;
  output.Append("head ");
  output.Append("of it ");
  output.Append(Owned("first "));
  output.Append(Owned("second "));
  output.Append("tail");
  EXPECT_EQ(output.bytes(), 28u);
  EXPECT_EQ(output.Flush(ours.get()), SocketOutput::Sent::kAll);
  EXPECT_TRUE(output.empty());
  EXPECT_EQ(output.sent_bytes(), 28u);
  EXPECT_EQ(ReceiveAll(theirs), "head of it first second tail");
}

TEST(SocketOutputTest, HasNothingToSendWhenItWasGivenNothing) {
  auto [ours, theirs] = SocketPair();
  SocketOutput output;
  output.Append("");
  output.Append(memory::Slice{});
  EXPECT_TRUE(output.empty());
  EXPECT_EQ(output.Flush(ours.get()), SocketOutput::Sent::kAll);
  EXPECT_EQ(ReceiveAll(theirs), "");
}

TEST(SocketOutputTest, SendsMorePiecesThanOneCallTakes) {
  auto [ours, theirs] = SocketPair();
  SocketOutput output;
  std::string expected;
  for (int i = 0; i < 1000; ++i) {
    const std::string text = std::to_string(i) + ",";
    expected += text;
    if (i % 3 == 0) {
      output.Append(text);
    } else {
      output.Append(Owned(text));
    }
  }
  EXPECT_EQ(output.Flush(ours.get()), SocketOutput::Sent::kAll);
  EXPECT_EQ(ReceiveAll(theirs), expected);
}

TEST(SocketOutputTest, KeepsWhatTheKernelDoesNotTakeAndGoesOnThere) {
  auto [ours, theirs] = SocketPair();
  SocketOutput output;
  std::string expected;
  for (const size_t size : {5u, 700'001u, 3u, 4096u, 1'300'003u, 4097u}) {
    const std::string text = Pattern(size);
    expected += text;
    if (size % 2 == 0) {
      output.Append(text);
    } else {
      output.Append(Owned(text));
    }
  }
  std::string received;
  SocketOutput::Sent sent = output.Flush(ours.get());
  EXPECT_EQ(sent, SocketOutput::Sent::kSome);
  while (sent == SocketOutput::Sent::kSome) {
    EXPECT_EQ(output.bytes() + output.sent_bytes(), expected.size());
    received += ReceiveAll(theirs);
    // While some wait others come.
    if (received.size() < 1'000'000) {
      output.Append("between ");
      expected += "between ";
    }
    sent = output.Flush(ours.get());
  }
  received += ReceiveAll(theirs);
  EXPECT_EQ(sent, SocketOutput::Sent::kAll);
  EXPECT_EQ(output.sent_bytes(), expected.size());
  EXPECT_TRUE(received == expected);
}

TEST(SocketOutputTest, LeavesOthersTheirTurnWhenTheKernelTakesAllAtOnce) {
  auto [ours, theirs] = SocketPair();
  SocketOutput output;
  output.Append(Owned(Pattern(3000)));
  output.Append(Pattern(5000));
  EXPECT_EQ(output.Flush(ours.get(), 2000), SocketOutput::Sent::kSome);
  EXPECT_EQ(output.sent_bytes(), 2000u);
  EXPECT_EQ(output.Flush(ours.get(), 2000), SocketOutput::Sent::kSome);
  EXPECT_EQ(output.sent_bytes(), 4000u);
  EXPECT_EQ(output.Flush(ours.get(), 4000), SocketOutput::Sent::kAll);
  EXPECT_TRUE(ReceiveAll(theirs) == Pattern(3000) + Pattern(5000));
}

TEST(SocketOutputTest, DropsASliceWhenItHasLeft) {
  auto [ours, theirs] = SocketPair();
  SocketOutput output;
  memory::Slice slice = Owned("bytes");
  const memory::Owner owner = slice.owner;
  output.Append(std::move(slice));
  EXPECT_EQ(owner.use_count(), 2);
  output.Flush(ours.get());
  EXPECT_EQ(owner.use_count(), 1);
}

TEST(SocketOutputTest, SaysWhenTheOtherSideIsGoneWithoutASignal) {
  auto [ours, theirs] = SocketPair();
  theirs.Reset();
  SocketOutput output;
  output.Append("nobody reads this");
  EXPECT_EQ(output.Flush(ours.get()), SocketOutput::Sent::kBroken);
}

TEST(SocketOutput, ShowsWhatWaitsInOnePieceAndDropsWhatWasSentOtherwise) {
  SocketOutput output;
  const std::string large(5000, 'a');
  output.Append(large);
  output.Append(std::string(5000, 'b'));
  uint8_t scratch[8000];
  const auto text = [](const SocketOutput::Bytes& bytes) { return std::string(reinterpret_cast<const char*>(bytes.data), bytes.size); };
  const SocketOutput::Bytes first = output.Peek(0, 5000, scratch);
  EXPECT_TRUE(text(first) == large);
  EXPECT_NE(first.data, scratch);
  const SocketOutput::Bytes joined = output.Peek(4998, 4, scratch);
  EXPECT_EQ(text(joined), "aabb");
  EXPECT_EQ(joined.data, scratch);
  EXPECT_NE(output.Peek(9000, 8000, scratch).data, scratch);
  EXPECT_EQ(text(output.Peek(9000, 8000, scratch)), std::string(1000, 'b'));
  EXPECT_EQ(output.Peek(10'000, 10, scratch).size, 0u);
  output.Drop(4999);
  EXPECT_EQ(output.bytes(), 5001u);
  EXPECT_EQ(output.sent_bytes(), 4999u);
  EXPECT_EQ(text(output.Peek(0, 3, scratch)), "abb");
  output.Drop(5001);
  EXPECT_TRUE(output.empty());
  EXPECT_EQ(output.Peek(0, 10, scratch).size, 0u);
}

}  // namespace
}  // namespace penstock::transport
