#include "transport/receive_buffer.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "transport/socket_output.h"
#include "transport/test_peers.h"

namespace penstock::transport {
namespace {

using Got = ReceiveBuffer::Got;

std::string Text(const memory::Slice& slice) { return std::string(reinterpret_cast<const char*>(slice.data), slice.size); }

std::string Pattern(size_t size) {
  std::string text(size, '\0');
  for (size_t i = 0; i < size; ++i) text[i] = static_cast<char>((i * 2654435761u) >> 13);
  return text;
}

void SendText(const FileDescriptor& fd, const std::string& text) {
  EXPECT_EQ(send(fd.get(), text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT), static_cast<ssize_t>(text.size()));
}

// Bytes of blocks that live now and did not when this was made.
class LiveBytes {
 public:
  uint64_t now() const { return memory::BlockPool::Process().live_bytes() - before_; }

 private:
  const uint64_t before_ = memory::BlockPool::Process().live_bytes();
};

TEST(ReceiveBufferTest, SharesABlockAmongConnections) {
  const LiveBytes live;
  ReceiveBuffer buffer;
  auto [first, to_first] = SocketPair();
  auto [second, to_second] = SocketPair();
  SendText(to_first, "one");
  SendText(to_second, "two");
  memory::Slice one, two;
  ASSERT_EQ(buffer.Receive(first.get(), 0, &one), Got::kBytes);
  ASSERT_EQ(buffer.Receive(second.get(), 0, &two), Got::kBytes);
  EXPECT_EQ(Text(one), "one");
  EXPECT_EQ(Text(two), "two");
  EXPECT_EQ(one.owner, two.owner);
  EXPECT_EQ(live.now(), ReceiveBuffer::kBlockBytes);
}

TEST(ReceiveBufferTest, BeginsANewBlockWhenLittleRoomIsLeftAndGivesTheOldOneBackWithItsLastSlice) {
  const LiveBytes live;
  ReceiveBuffer buffer;
  auto [ours, theirs] = SocketPair();
  const std::string nearly_all = Pattern(ReceiveBuffer::kBlockBytes - 4095);
  SendText(theirs, nearly_all);
  memory::Slice first, second;
  ASSERT_EQ(buffer.Receive(ours.get(), 0, &first), Got::kBytes);
  EXPECT_TRUE(Text(first) == nearly_all);
  SendText(theirs, "next");
  ASSERT_EQ(buffer.Receive(ours.get(), 0, &second), Got::kBytes);
  EXPECT_TRUE(Text(first) == nearly_all);
  EXPECT_EQ(Text(second), "next");
  EXPECT_NE(first.owner, second.owner);
  EXPECT_EQ(live.now(), 2 * ReceiveBuffer::kBlockBytes);
  first = {};
  EXPECT_EQ(live.now(), ReceiveBuffer::kBlockBytes);
}

TEST(ReceiveBufferTest, ReceivesMoreThanIsWantedOfASmallBodySinceOthersMayFollow) {
  ReceiveBuffer buffer;
  auto [ours, theirs] = SocketPair();
  SendText(theirs, "body and the next head");
  memory::Slice slice;
  ASSERT_EQ(buffer.Receive(ours.get(), 4, &slice), Got::kBytes);
  EXPECT_EQ(Text(slice), "body and the next head");
}

TEST(ReceiveBufferTest, PutsTheBytesOfALargeBodyIntoABlockOfTheirSize) {
  const LiveBytes live;
  ReceiveBuffer buffer;
  auto [ours, theirs] = SocketPair();
  const std::string part = Pattern(100'000);
  SendText(theirs, part);
  memory::Slice slice;
  ASSERT_EQ(buffer.Receive(ours.get(), 5'000'000, &slice), Got::kBytes);
  EXPECT_TRUE(Text(slice) == part);
  EXPECT_EQ(live.now(), part.size());
}

TEST(ReceiveBufferTest, NeverReceivesMoreThanIsWantedOfALargeBody) {
  ReceiveBuffer buffer;
  auto [ours, theirs] = SocketPair();
  const size_t wanted = ReceiveBuffer::kBlockBytes + 1;
  const std::string body = Pattern(wanted);
  SendText(theirs, body + "next");
  memory::Slice slice;
  ASSERT_EQ(buffer.Receive(ours.get(), wanted, &slice), Got::kBytes);
  EXPECT_TRUE(Text(slice) == body);
  ASSERT_EQ(buffer.Receive(ours.get(), 0, &slice), Got::kBytes);
  EXPECT_EQ(Text(slice), "next");
}

TEST(ReceiveBufferTest, TakesNoLargeBlockForTheFewBytesOfALargeBodyThatAreThere) {
  const LiveBytes live;
  ReceiveBuffer buffer;
  auto [ours, theirs] = SocketPair();
  SendText(theirs, "few");
  memory::Slice slice;
  ASSERT_EQ(buffer.Receive(ours.get(), 5'000'000, &slice), Got::kBytes);
  EXPECT_EQ(Text(slice), "few");
  EXPECT_EQ(buffer.Receive(ours.get(), 5'000'000, &slice), Got::kNothing);
  EXPECT_EQ(live.now(), ReceiveBuffer::kBlockBytes);
}

TEST(ReceiveBufferTest, ReceivesALargeBodyOverTcpByteForByte) {
  FileDescriptor listener = NewSocket();
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  ASSERT_EQ(bind(listener.get(), reinterpret_cast<sockaddr*>(&address), length), 0);
  ASSERT_EQ(listen(listener.get(), 1), 0);
  ASSERT_EQ(getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &length), 0);
  const FileDescriptor client = Client(ntohs(address.sin_port));
  const FileDescriptor server(accept4(listener.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
  ASSERT_TRUE(client.ok() && server.ok());

  const std::string body = Pattern(9'000'001);
  SocketOutput output;
  output.Append(body);
  ReceiveBuffer buffer;
  std::string received;
  while (received.size() < body.size()) {
    ASSERT_NE(output.Flush(client.get()), SocketOutput::Sent::kBroken);
    pollfd wait{server.get(), POLLIN, 0};
    ASSERT_EQ(poll(&wait, 1, kPatienceMs), 1);
    memory::Slice slice;
    ASSERT_EQ(buffer.Receive(server.get(), body.size() - received.size(), &slice), Got::kBytes);
    EXPECT_LE(slice.size, ReceiveBuffer::kLargeBlockBytes);
    received += Text(slice);
  }
  EXPECT_TRUE(received == body);
}

TEST(ReceiveBufferTest, TellsNothingFromTheEndAndTheEndFromAFailure) {
  ReceiveBuffer buffer;
  memory::Slice slice;
  for (const size_t wanted : {size_t{0}, size_t{5'000'000}}) {
    auto [ours, theirs] = SocketPair();
    EXPECT_EQ(buffer.Receive(ours.get(), wanted, &slice), Got::kNothing);
    theirs.Reset();
    EXPECT_EQ(buffer.Receive(ours.get(), wanted, &slice), Got::kEnd);
    EXPECT_EQ(buffer.Receive(-1, wanted, &slice), Got::kBroken);
    // A side that goes without having read what was sent to it resets the connection.
    auto [reset, resetting] = SocketPair();
    SendText(reset, "unread");
    resetting.Reset();
    EXPECT_EQ(buffer.Receive(reset.get(), wanted, &slice), Got::kBroken);
  }
  EXPECT_EQ(slice.data, nullptr);
}

TEST(ReceiveBufferTest, LeavesTheBytesToTheKernelWhenThereIsNoMemoryForThem) {
  auto& pool = memory::BlockPool::Process();
  ReceiveBuffer buffer;
  auto [ours, theirs] = SocketPair();
  const std::string part = Pattern(70'000);
  SendText(theirs, part);
  memory::Slice slice;
  const uint64_t limit = pool.limit_bytes();
  pool.set_limit_bytes(pool.live_bytes() + 1);
  EXPECT_EQ(buffer.Receive(ours.get(), 0, &slice), Got::kNoMemory);
  EXPECT_EQ(buffer.Receive(ours.get(), 100'000, &slice), Got::kNoMemory);
  pool.set_limit_bytes(limit);
  ASSERT_EQ(buffer.Receive(ours.get(), 100'000, &slice), Got::kBytes);
  EXPECT_TRUE(Text(slice) == part);
}

}  // namespace
}  // namespace penstock::transport
