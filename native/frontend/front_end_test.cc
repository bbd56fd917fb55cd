#include "frontend/front_end.h"

#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <thread>
#include <vector>

#include "frontend/test_connection.h"
#include "frontend/test_engine.h"
#include "transport/acceptor.h"

namespace penstock::frontend {
namespace {

using transport::FileDescriptor;
using transport::IsClosed;

class FrontEndTest : public ::testing::Test {
 protected:
  FrontEndTest() {
    FrontEndOptions options;
    options.loops = 2;
    const auto events = std::make_shared<RequestEvents>(false, false, [] {});
    front_end_ = FrontEnd::Start(options, &engine_.engine, {}, TestConnection::Factories(), events).value();
  }

  FileDescriptor Served(const std::string& sends = "x") {
    FileDescriptor client = transport::Client(port_->port());
    Send(client, sends);
    EXPECT_EQ(ReceivedBy(client, sends.size()), sends);
    return client;
  }
  std::map<uint32_t, size_t> Counts() {
    std::map<uint32_t, size_t> counts;
    for (const auto& [thread, connections] : port_->Counts()) counts[thread] = connections;
    return counts;
  }

  TestEngine engine_;
  const std::shared_ptr<transport::Acceptor> port_ = transport::Acceptor::Open({"127.0.0.1", 0, "--port", 100}).value();
  std::unique_ptr<FrontEnd> front_end_;
};

TEST_F(FrontEndTest, SpreadsTheConnectionsOfAPortOverItsLoops) {
  front_end_->Serve(Protocol::kHttp, port_, nullptr);
  std::vector<FileDescriptor> clients;
  for (int i = 0; i < 6; ++i) clients.push_back(Served());
  EXPECT_EQ(Counts(), (std::map<uint32_t, size_t>{{0, 3}, {1, 3}}));
  clients.clear();
  const std::map<uint32_t, size_t> none{{0, 0}, {1, 0}};
  while (Counts() != none) std::this_thread::yield();
}

TEST_F(FrontEndTest, ServesSeveralPorts) {
  const auto other = transport::Acceptor::Open({"127.0.0.1", 0, "--other", 100}).value();
  front_end_->Serve(Protocol::kHttp, port_, nullptr);
  front_end_->Serve(Protocol::kGrpc, other, nullptr);
  const FileDescriptor first = Served();
  const FileDescriptor second = transport::Client(other->port());
  Send(second, "x");
  EXPECT_EQ(ReceivedBy(second, 1), "x");
}

TEST_F(FrontEndTest, TellsTheClientsOfEveryLoopToGo) {
  front_end_->Serve(Protocol::kHttp, port_, nullptr);
  const FileDescriptor first = Served();
  const FileDescriptor second = Served();
  front_end_->GoAway();
  EXPECT_EQ(ReceivedBy(first, 1), "G");
  EXPECT_EQ(ReceivedBy(second, 1), "G");
}

TEST_F(FrontEndTest, IsDrainedOnceEveryLoopIs) {
  front_end_->Serve(Protocol::kHttp, port_, nullptr);
  const FileDescriptor first = Served("h");
  const FileDescriptor second = Served("h");
  port_->Close();
  Happenings drained;
  front_end_->Drain([&] { drained.Add(); });
  EXPECT_EQ(ReceivedBy(first, 1), "D");
  EXPECT_EQ(ReceivedBy(second, 1), "D");
  Send(first, "e");
  EXPECT_EQ(ReceivedBy(first, 2), "e");
  EXPECT_EQ(drained.count(), 0u);
  Send(second, "e");
  ASSERT_TRUE(drained.WaitFor(1));
  front_end_->Drain([&] { drained.Add(); });
  ASSERT_TRUE(drained.WaitFor(2));
}

TEST_F(FrontEndTest, ClosesEveryConnectionAndLeavesThePortWhenItIsDestroyed) {
  front_end_->Serve(Protocol::kHttp, port_, nullptr);
  const FileDescriptor first = Served("h");
  const FileDescriptor second = Served();
  front_end_->Destroy();
  EXPECT_TRUE(IsClosed(first));
  EXPECT_TRUE(IsClosed(second));
  EXPECT_TRUE(Counts().empty());
  front_end_->Destroy();
  front_end_->GoAway();
  Happenings drained;
  front_end_->Drain([&] { drained.Add(); });
  EXPECT_EQ(drained.count(), 1u);
  front_end_->Serve(Protocol::kHttp, port_, nullptr);
  EXPECT_TRUE(Counts().empty());
}

// What must hold for every schedule.
TEST(FrontEndStress, EndsInAnyOrderWhileClientsComeAndGo) {
  constexpr int kRounds = 10;
  constexpr int kClients = 3;
  TestEngine engine;
  for (int round = 0; round < kRounds; ++round) {
    const auto port = transport::Acceptor::Open({"127.0.0.1", 0, "--port", 100}).value();
    FrontEndOptions options;
    options.loops = 2;
    auto front_end = FrontEnd::Start(options, &engine.engine, {}, TestConnection::Factories(),
                                     std::make_shared<RequestEvents>(false, false, [] {})).value();
    front_end->Serve(Protocol::kHttp, port, nullptr);
    std::atomic<bool> over{false};
    Happenings connected;
    std::vector<std::thread> threads;
    for (int i = 0; i < kClients; ++i) {
      threads.emplace_back([&] {
        while (!over) {
          const FileDescriptor client = transport::Client(port->port());
          if (!client.ok()) continue;
          (void)!send(client.get(), "x", 1, MSG_NOSIGNAL);
          connected.Add();
        }
      });
    }
    EXPECT_TRUE(connected.WaitFor(20));
    Happenings drained;
    threads.emplace_back([&] { front_end->GoAway(); });
    threads.emplace_back([&] { front_end->Drain([&] { drained.Add(); }); });
    threads.emplace_back([&] { front_end->Destroy(); });
    front_end->Destroy();
    EXPECT_TRUE(drained.WaitFor(1));
    over = true;
    port->Close();  // lets those go that wait in its backlog
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(drained.count(), 1u);
    EXPECT_TRUE(port->Counts().empty());
  }
}

}  // namespace
}  // namespace penstock::frontend
