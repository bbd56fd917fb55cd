#include "transport/listening_socket.h"

#include <gtest/gtest.h>

#include "transport/test_peers.h"

namespace penstock::transport {
namespace {

bool HasIpv6() {
  const auto listening = Listen("::1", 0, "--http-port");
  return listening.ok();
}

TEST(ListeningSocketTest, ListensOnAddressesOfBothFamilies) {
  auto v4 = Listen("127.0.0.1", 0, "--http-port");
  ASSERT_TRUE(v4.ok()) << v4.status().message();
  EXPECT_TRUE(Connect(NewSocket(AF_INET), v4.value().port));
  if (!HasIpv6()) GTEST_SKIP() << "this machine has no IPv6";
  auto v6 = Listen("::1", 0, "--http-port");
  EXPECT_TRUE(Connect(NewSocket(AF_INET6), v6.value().port, "::1"));
  auto both = Listen("::", 0, "--http-port");
  EXPECT_TRUE(Connect(NewSocket(AF_INET6), both.value().port, "::1"));
  EXPECT_TRUE(Connect(NewSocket(AF_INET), both.value().port, "127.0.0.1"));
}

TEST(ListeningSocketTest, ListensOnANameThatHasSeveralAddresses) {
  auto listening = Listen("localhost", 0, "--http-port");
  ASSERT_TRUE(listening.ok()) << listening.status().message();
  EXPECT_GT(listening.value().port, 0);
}

TEST(ListeningSocketTest, NamesThePortAndTheFlagWhenThePortIsTaken) {
  const auto first = Listen("127.0.0.1", 0, "--http-port");
  ASSERT_TRUE(first.ok());
  const auto second = Listen("127.0.0.1", first.value().port, "--grpc-port");
  EXPECT_EQ(second.status().code(), StatusCode::kPortBusy);
  EXPECT_EQ(second.status().message(),
            "port " + std::to_string(first.value().port) + " is already in use; choose another with --grpc-port");
}

TEST(ListeningSocketTest, CallsAHostThatIsNotThisMachineAWrongOption) {
  // 192.0.2.0/24 is reserved for documents (RFC 5737).
  const auto listening = Listen("192.0.2.1", 0, "--http-port");
  EXPECT_EQ(listening.status().code(), StatusCode::kConfigOption);
  EXPECT_EQ(listening.status().message(), "cannot listen on 192.0.2.1 (--host): it is not an address of this machine");
}

TEST(ListeningSocketTest, CallsANameThatCannotBeLookedUpAWrongOption) {
  const auto listening = Listen("no such name", 0, "--http-port");
  EXPECT_EQ(listening.status().code(), StatusCode::kConfigOption);
  EXPECT_NE(listening.status().message().find("cannot listen on"), std::string::npos);
  EXPECT_NE(listening.status().message().find("--host"), std::string::npos);
}

}  // namespace
}  // namespace penstock::transport
