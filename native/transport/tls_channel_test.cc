#include "transport/tls_channel.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>

#include "transport/test_tls_client.h"

namespace penstock::transport {
namespace {

using Got = ReceiveBuffer::Got;
using Sent = SocketOutput::Sent;

constexpr int kVersions[] = {0x0303, 0x0304};

std::string Large(size_t bytes) {
  std::string text(bytes, 'a');
  for (size_t i = 0; i < bytes; ++i) text[i] = static_cast<char>('a' + i * 31 / 7 % 26);
  return text;
}

// One thread plays both ends: whenever the client waits, the server does all it can, and echoes.
class TlsChannelTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const Result<const Tls*> found = FindTls();
    if (!found.ok()) GTEST_SKIP() << found.status().message();
    Connect();
  }
  void Connect(const TlsClientOptions& options = {}, const TlsMaterial& material = ServerMaterial()) {
    auto [ours, theirs] = SocketPair();
    channel_ = TlsChannel::Make(std::move(theirs), TlsContext::Make(material, "http/1.1").value());
    client_ = std::make_unique<TlsTestClient>(std::move(ours), options, [this] { Serve(); });
    shake_ = TlsChannel::Handshake::kWantsInput;
    output_ = SocketOutput();
    got_ = Got::kNothing;
    received_bytes_ = 0;
  }
  void Serve() {
    if (!channel_->is_open() || !serves_) return;
    if (shake_ != TlsChannel::Handshake::kDone) {
      shake_ = channel_->Shake();
      if (shake_ == TlsChannel::Handshake::kFailed) channel_->Close();
      if (shake_ != TlsChannel::Handshake::kDone) return;
      was_buffered_ = channel_->has_buffered() && channel_->HasUnread();
    }
    memory::Slice bytes;
    while (output_.bytes() < 256 * 1024 && (got_ = channel_->Receive(&buffer_, wanted_, &bytes)) == Got::kBytes) {
      received_bytes_ += bytes.size;
      output_.Append(std::move(bytes));
    }
    sent_ = channel_->Flush(&output_);
    if (got_ == Got::kBroken || sent_ == Sent::kBroken || (got_ == Got::kEnd && sent_ == Sent::kAll)) channel_->Close();
  }
  // Whether both ends are content.
  bool Shake() {
    if (!client_->Shake()) return false;
    for (int i = 0; i < 10 && shake_ != TlsChannel::Handshake::kDone && channel_->is_open(); ++i) Serve();
    return shake_ == TlsChannel::Handshake::kDone;
  }
  // One call, as of a connection that an event has told of.
  std::string ReceiveOnce(size_t wanted = 0) {
    memory::Slice bytes;
    got_ = channel_->Receive(&buffer_, wanted, &bytes);
    return got_ == Got::kBytes ? std::string(reinterpret_cast<const char*>(bytes.data), bytes.size) : "";
  }

  ReceiveBuffer buffer_;
  SocketOutput output_;
  std::unique_ptr<TlsChannel> channel_;
  std::unique_ptr<TlsTestClient> client_;
  TlsChannel::Handshake shake_ = TlsChannel::Handshake::kWantsInput;
  bool was_buffered_ = false;  // when the handshake was done
  Got got_ = Got::kNothing;
  Sent sent_ = Sent::kAll;
  size_t wanted_ = 0;
  size_t received_bytes_ = 0;
  bool serves_ = true;
};

TEST_F(TlsChannelTest, CarriesSmallTextsBothWays) {
  for (const int version : kVersions) {
    Connect({"", "", "", version});
    ASSERT_TRUE(Shake());
    for (const std::string& text : {std::string("one"), std::string("x"), std::string("another one")}) {
      ASSERT_TRUE(client_->Send(text));
      EXPECT_EQ(client_->Read(text.size()), text);
    }
    EXPECT_TRUE(output_.empty());
  }
}

TEST_F(TlsChannelTest, CarriesLargeBodiesBothWays) {
  const std::string body = Large(8 << 20);
  for (const size_t wanted : {size_t{0}, body.size()}) {
    for (const int version : kVersions) {
      Connect({"", "", "", version});
      ASSERT_TRUE(Shake());
      wanted_ = wanted;
      std::string echoed;
      for (size_t at = 0; at < body.size(); at += 1 << 16) {
        ASSERT_TRUE(client_->Send(body.substr(at, 1 << 16)));
        echoed += client_->Read(1 << 16);
      }
      EXPECT_TRUE(echoed == body);
      EXPECT_EQ(output_.sent_bytes(), body.size());
    }
  }
}

TEST_F(TlsChannelTest, EndsWithoutAWordWhatIsCutShort) {
  for (const bool stays : {true, false}) {
    Connect();
    serves_ = true;
    ASSERT_TRUE(Shake());
    serves_ = false;
    output_.Append("half");
    channel_->SayNoEnd();
    EXPECT_EQ(channel_->Flush(&output_), Sent::kAll);
    if (stays) channel_->EndSending();
    if (!stays) channel_->Close();
    EXPECT_EQ(client_->Read(100), "half");
    EXPECT_FALSE(client_->has_ended());
  }
}

TEST_F(TlsChannelTest, KeepsWhatASlowReaderHasNotTaken) {
  ASSERT_TRUE(Shake());
  const std::string body = Large(4 << 20);
  output_.Append(body.substr(0, 5));
  output_.Append(body.substr(5, 100'000));
  for (size_t at = 100'005; at < body.size(); at += 100) output_.Append(body.substr(at, 100));
  EXPECT_EQ(channel_->Flush(&output_), Sent::kSome);
  EXPECT_GT(output_.sent_bytes(), 0u);
  EXPECT_GT(output_.bytes(), 0u);
  const uint64_t sent = output_.sent_bytes();
  EXPECT_EQ(channel_->Flush(&output_), Sent::kSome);
  EXPECT_EQ(output_.sent_bytes(), sent);
  EXPECT_TRUE(client_->Read(body.size()) == body);
  EXPECT_TRUE(output_.empty());
}

// What has left the output must be with the kernel: nothing else keeps it.
TEST_F(TlsChannelTest, DropsOfTheOutputOnlyWhatTheKernelHas) {
  ASSERT_TRUE(Shake());
  const std::string body = Large(4 << 20);
  output_.Append(body);
  EXPECT_EQ(channel_->Flush(&output_), Sent::kSome);
  const auto sent = static_cast<size_t>(output_.sent_bytes());
  serves_ = false;
  EXPECT_TRUE(client_->Read(sent) == body.substr(0, sent));
}

TEST_F(TlsChannelTest, JoinsSmallPiecesToOneRecord) {
  ASSERT_TRUE(Shake());
  EXPECT_EQ(client_->Read(0), "");
  char bytes[8192];
  while (recv(client_->fd(), bytes, sizeof bytes, MSG_DONTWAIT) > 0) {
  }
  const auto data = std::make_shared<std::string>(64, 'b');
  for (int i = 0; i < 20; ++i) {
    output_.Append(std::string(5000, 'a').substr(0, 10));
    output_.Append(memory::Slice{reinterpret_cast<uint8_t*>(data->data()), data->size(), memory::MemoryKind::kPageable, data});
  }
  EXPECT_EQ(channel_->Flush(&output_), Sent::kAll);
  // A head of 5 bytes, a tag of 16 and the type.
  EXPECT_EQ(recv(client_->fd(), bytes, sizeof bytes, MSG_DONTWAIT), 20 * 74 + 22);
}

TEST_F(TlsChannelTest, WaitsForTheRestOfARecord) {
  ASSERT_TRUE(Shake());
  const std::string record = client_->Encrypted("a request");
  for (const char byte : record.substr(0, record.size() - 1)) {
    ASSERT_TRUE(client_->SendRaw(std::string(1, byte)));
    EXPECT_EQ(ReceiveOnce(), "");
    EXPECT_EQ(got_, Got::kNothing);
    // An event will tell of the rest; a loop that did not wait for it would spin.
    EXPECT_FALSE(channel_->has_buffered());
  }
  ASSERT_TRUE(client_->SendRaw(record.substr(record.size() - 1)));
  EXPECT_EQ(ReceiveOnce(), "a request");
  EXPECT_FALSE(channel_->has_buffered());
  EXPECT_FALSE(channel_->HasUnread());
}

TEST_F(TlsChannelTest, SaysThatThereIsMoreThanABlockHadRoomFor) {
  ASSERT_TRUE(Shake());
  const std::string body = Large(90'000);
  ASSERT_TRUE(client_->Send(body));
  std::string received = ReceiveOnce();
  EXPECT_LT(received.size(), body.size());
  EXPECT_TRUE(channel_->HasUnread());
  int calls = 0;
  for (; received.size() < body.size() && calls < 100; ++calls) {
    ASSERT_TRUE(channel_->has_buffered() || transport::WaitingBytes(channel_->fd()) > 0);
    received += ReceiveOnce();
  }
  EXPECT_TRUE(received == body);
  EXPECT_FALSE(channel_->HasUnread());
}

TEST_F(TlsChannelTest, HasWhatCameWithTheLastWordsOfTheHandshake) {
  ASSERT_TRUE(client_->Shake());
  ASSERT_NE(shake_, TlsChannel::Handshake::kDone);
  ASSERT_TRUE(client_->Send("a request"));
  ASSERT_EQ(channel_->Shake(), TlsChannel::Handshake::kDone);
  EXPECT_EQ(transport::WaitingBytes(channel_->fd()), 0u);
  EXPECT_TRUE(channel_->has_buffered());
  EXPECT_TRUE(channel_->HasUnread());
  EXPECT_EQ(ReceiveOnce(), "a request");
  EXPECT_FALSE(channel_->has_buffered());
}

TEST_F(TlsChannelTest, TakesCloseNotifyForTheEndAndStillAnswers) {
  ASSERT_TRUE(Shake());
  ASSERT_TRUE(client_->SendRaw(client_->Encrypted("last")));
  ASSERT_TRUE(client_->EndSending());
  EXPECT_EQ(ReceiveOnce(), "last");
  // Nothing else will tell of it: the connection is open.
  EXPECT_TRUE(channel_->has_buffered());
  EXPECT_EQ(ReceiveOnce(), "");
  EXPECT_EQ(got_, Got::kEnd);
  EXPECT_FALSE(channel_->has_buffered());
  output_.Append(std::string("answer"));
  EXPECT_EQ(channel_->Flush(&output_), Sent::kAll);
  EXPECT_EQ(client_->Read(6), "answer");
}

TEST_F(TlsChannelTest, EndsWithAClientThatJustCloses) {
  ASSERT_TRUE(Shake());
  // Whoever closes with something unread resets.
  ASSERT_TRUE(client_->Send("x"));
  EXPECT_EQ(client_->Read(1), "x");
  ASSERT_TRUE(client_->Send("last"));
  ASSERT_TRUE(client_->SendRaw(client_->Encrypted("never whole").substr(0, 10)));
  client_->Close();
  EXPECT_EQ(ReceiveOnce(), "last");
  EXPECT_EQ(ReceiveOnce(), "");
  EXPECT_EQ(got_, Got::kEnd);
  output_.Append(std::string("answer"));
  EXPECT_EQ(channel_->Flush(&output_), Sent::kBroken);
  channel_->EndSending();
  channel_->Close();
}

TEST_F(TlsChannelTest, SaysItsOwnEnd) {
  ASSERT_TRUE(Shake());
  channel_->EndSending();
  EXPECT_EQ(client_->Read(1), "");
  EXPECT_TRUE(client_->has_ended());
  ASSERT_TRUE(client_->Send("read still"));
  EXPECT_EQ(ReceiveOnce(), "read still");
  Connect();
  ASSERT_TRUE(Shake());
  channel_->Close();
  EXPECT_EQ(client_->Read(1), "");
  EXPECT_TRUE(client_->has_ended());
}

TEST_F(TlsChannelTest, DoesNotCallHalfAnAnswerTheEnd) {
  ASSERT_TRUE(Shake());
  output_.Append(Large(4 << 20));
  EXPECT_EQ(channel_->Flush(&output_), Sent::kSome);
  channel_->Close();
  EXPECT_LT(client_->Read(8 << 20).size(), size_t{4 << 20});
  EXPECT_FALSE(client_->has_ended());
}

TEST_F(TlsChannelTest, BreaksWithWhatWasChangedOnTheWay) {
  ASSERT_TRUE(Shake());
  std::string record = client_->Encrypted("a request");
  record.back() = static_cast<char>(record.back() ^ 1);
  ASSERT_TRUE(client_->SendRaw(record));
  EXPECT_EQ(ReceiveOnce(), "");
  EXPECT_EQ(got_, Got::kBroken);
  output_.Append(std::string("answer"));
  EXPECT_EQ(channel_->Flush(&output_), Sent::kBroken);
  EXPECT_EQ(client_->Read(1), "");
  EXPECT_NE(client_->error().find("bad record mac"), std::string::npos) << client_->error();
}

TEST_F(TlsChannelTest, GoesOnWithNewKeys) {
  ASSERT_TRUE(Shake());
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(client_->UpdateKey());
    ASSERT_TRUE(client_->Send("x"));
    EXPECT_EQ(client_->Read(1), "x");
  }
}

TEST_F(TlsChannelTest, ReturnsFromAClientThatSendsNothingButNewKeys) {
  ASSERT_TRUE(Shake());
  std::string sent;
  for (int i = 0; i < 4000; ++i) sent += client_->KeyUpdate(false);
  ASSERT_TRUE(client_->SendRaw(sent + client_->Encrypted("x")));
  // The text lies behind more than is read in vain at one time.
  EXPECT_EQ(ReceiveOnce(), "");
  EXPECT_EQ(got_, Got::kNothing);
  EXPECT_GT(transport::WaitingBytes(channel_->fd()), 0u);
  EXPECT_EQ(ReceiveOnce(), "x");
}

TEST_F(TlsChannelTest, TakesAFloodOfTinyRecordsAPartAtATime) {
  ASSERT_TRUE(Shake());
  constexpr size_t kRecords = 5000;
  std::string sent;
  for (size_t i = 0; i < kRecords; ++i) sent += client_->Encrypted("x");
  ASSERT_TRUE(client_->SendRaw(sent));
  std::string received = ReceiveOnce(1 << 20);
  EXPECT_LT(received.size(), kRecords);
  for (int calls = 0; received.size() < kRecords && calls < 100; ++calls) received += ReceiveOnce(1 << 20);
  EXPECT_EQ(received, std::string(kRecords, 'x'));
}

TEST_F(TlsChannelTest, LooksOnceForWhatCameWithTheEndOfTheHandshake) {
  ASSERT_TRUE(Shake());
  EXPECT_TRUE(was_buffered_);
  EXPECT_EQ(ReceiveOnce(), "");
  EXPECT_EQ(got_, Got::kNothing);
  EXPECT_FALSE(channel_->has_buffered());
  EXPECT_FALSE(channel_->HasUnread());
}

TEST_F(TlsChannelTest, ReadsOnWithoutAWordWhenItHasSaidTheEnd) {
  ASSERT_TRUE(Shake());
  channel_->EndSending();
  ASSERT_TRUE(client_->UpdateKey());
  ASSERT_TRUE(client_->Send("late"));
  EXPECT_EQ(ReceiveOnce(), "late");
  EXPECT_EQ(ReceiveOnce(), "");
  EXPECT_EQ(got_, Got::kNothing);
}

TEST_F(TlsChannelTest, LeavesAClientThatAsksForNewKeysAndTakesNone) {
  ASSERT_TRUE(Shake());
  // What the server says fills the kernel's buffers first.
  output_.Append(Large(4 << 20));
  EXPECT_EQ(channel_->Flush(&output_), Sent::kSome);
  bool has_broken = false;
  for (int i = 0; i < 20'000 && !has_broken; ++i) {
    client_->UpdateKey();
    ReceiveOnce();
    has_broken = got_ == Got::kBroken;
  }
  EXPECT_TRUE(has_broken);
}

TEST_F(TlsChannelTest, AgreesOnItsProtocolWithWhoeverKnowsIt) {
  Connect({"\x02h2\x08http/1.1", "", "", 0});
  ASSERT_TRUE(Shake());
  EXPECT_EQ(client_->Protocol(), "http/1.1");
  Connect();
  ASSERT_TRUE(Shake());
  EXPECT_EQ(client_->Protocol(), "");
  for (const char* others : {"\x02h2", "\x07http/1.", "\x09http/1.1x", "\x08http/1.0"}) {
    Connect({others, "", "", 0});
    EXPECT_FALSE(Shake());
    EXPECT_EQ(shake_, TlsChannel::Handshake::kFailed);
    EXPECT_NE(client_->error().find("no application protocol"), std::string::npos) << client_->error();
  }
}

TEST_F(TlsChannelTest, LetsClientsInThatItsAuthorityHasSigned) {
  for (const int version : kVersions) {
    Connect({"", kClientCertificate, kClientKey, version}, ServerMaterial(kCaCertificate));
    ASSERT_TRUE(Shake());
    ASSERT_TRUE(client_->Send("x"));
    EXPECT_EQ(client_->Read(1), "x");

    Connect({"", "", "", version}, ServerMaterial(kCaCertificate));
    Shake();
    EXPECT_EQ(client_->Read(1), "");
    EXPECT_EQ(shake_, TlsChannel::Handshake::kFailed);
    const char* reason = version == 0x0304 ? "certificate required" : "handshake failure";
    EXPECT_NE(client_->error().find(reason), std::string::npos) << client_->error();

    Connect({"", kStrangerCertificate, kStrangerKey, version}, ServerMaterial(kCaCertificate));
    Shake();
    EXPECT_EQ(client_->Read(1), "");
    EXPECT_EQ(shake_, TlsChannel::Handshake::kFailed);
    EXPECT_NE(client_->error().find("unknown ca"), std::string::npos) << client_->error();

    // Of a server, by the right authority.
    Connect({"", kServerCertificate, kServerKey, version}, ServerMaterial(kCaCertificate));
    Shake();
    EXPECT_EQ(shake_, TlsChannel::Handshake::kFailed);
  }
}

TEST_F(TlsChannelTest, SpeaksNothingOlderThanTls12) {
  Connect({"", "", "", 0x0302});
  EXPECT_FALSE(Shake());
}

TEST_F(TlsChannelTest, LeavesWhoeverDoesNotSpeakTls) {
  for (const std::string& garbage : {std::string("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), std::string(100, '\0'), Large(100'000),
                                     std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11) + Large(1000)}) {
    Connect();
    ASSERT_TRUE(client_->SendRaw(garbage.substr(0, 60'000)));
    for (int i = 0; i < 10 && channel_->is_open(); ++i) Serve();
    EXPECT_FALSE(channel_->is_open()) << garbage.substr(0, 10);
  }
}

TEST_F(TlsChannelTest, LeavesAClientThatEndsWithinTheHandshake) {
  ASSERT_TRUE(client_->SendRaw(std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11)));
  EXPECT_EQ(channel_->Shake(), TlsChannel::Handshake::kWantsInput);
  client_->Close();
  EXPECT_EQ(channel_->Shake(), TlsChannel::Handshake::kFailed);
  EXPECT_EQ(channel_->Shake(), TlsChannel::Handshake::kFailed);
}

TEST_F(TlsChannelTest, KeepsItsKeysWhenOthersAreUsedForNewConnections) {
  ASSERT_TRUE(Shake());
  const auto old_channel = std::move(channel_);
  const auto old_client = std::move(client_);
  Connect({}, {kRenewedCertificate, kRenewedKey, ""});
  ASSERT_TRUE(Shake());
  ASSERT_TRUE(old_client->SendRaw(old_client->Encrypted("x")));
  memory::Slice bytes;
  EXPECT_EQ(old_channel->Receive(&buffer_, 0, &bytes), Got::kBytes);
}

}  // namespace
}  // namespace penstock::transport
