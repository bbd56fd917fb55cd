#include "frontend/loop.h"

#include <gtest/gtest.h>
#include <pthread.h>

#include <atomic>
#include <ctime>
#include <future>
#include <new>
#include <thread>

#include "frontend/test_connection.h"
#include "frontend/test_engine.h"

namespace penstock::frontend {
namespace {

using transport::FileDescriptor;
using transport::IsClosed;

class LoopTest : public ::testing::Test {
 protected:
  ~LoopTest() override {
    if (loop_ != nullptr) loop_->Destroy();
  }

  void Start(ConnectionFactories factories = TestConnection::Factories()) {
    loop_ = Loop::Start(options_, &engine_.engine, {}, factories, events_, nullptr, 3).value();
    taker_ = loop_->TakerFor(Protocol::kHttp, nullptr, [this] { ended_.Add(); });
  }
  // A client that the loop has taken.
  FileDescriptor Connect() {
    auto [ours, theirs] = SocketPair();
    taker_->Take(std::move(theirs));
    return std::move(ours);
  }
  // The same, when the loop has served it.
  FileDescriptor Served(const std::string& sends = "x") {
    FileDescriptor client = Connect();
    Send(client, sends);
    EXPECT_EQ(ReceivedBy(client, sends.size()), sends);
    return client;
  }

  TestEngine engine_;
  FrontEndOptions options_;
  const std::shared_ptr<RequestEvents> events_ = std::make_shared<RequestEvents>(false, false, [] {});
  Happenings ended_;
  std::shared_ptr<Loop> loop_;
  std::shared_ptr<transport::ConnectionTaker> taker_;
};

TEST_F(LoopTest, ServesConnectionsOnItsThreadAndTellsThePortWhenTheyEnd) {
  std::atomic<int> made{0};
  Start({[&](Loop* loop, std::unique_ptr<transport::Channel> channel, std::shared_ptr<HandOff> hand_off) {
           char name[16] = "";
           pthread_getname_np(pthread_self(), name, sizeof name);
           EXPECT_STREQ(name, "penstock-io-3");
           ++made;
           return TestConnection::Make(loop, std::move(channel), std::move(hand_off));
         },
         nullptr});
  FileDescriptor first = Served("one");
  const FileDescriptor second = Served("two");
  EXPECT_EQ(made, 2);
  EXPECT_EQ(ended_.count(), 0u);
  first.Reset();
  ASSERT_TRUE(ended_.WaitFor(1));
  Send(second, "still");
  EXPECT_EQ(ReceivedBy(second, 5), "still");
  EXPECT_EQ(ended_.count(), 1u);
}

TEST_F(LoopTest, MakesEachConnectionOfTheProtocolOfItsPort) {
  Start({[](auto...) { return nullptr; }, &TestConnection::Make});
  const auto grpc = loop_->TakerFor(Protocol::kGrpc, nullptr, [this] { ended_.Add(); });
  auto [ours, theirs] = SocketPair();
  grpc->Take(std::move(theirs));
  Send(ours, "x");
  EXPECT_EQ(ReceivedBy(ours, 1), "x");
}

TEST_F(LoopTest, ClosesAndReportsAConnectionThatCannotBeMade) {
  std::atomic<bool> throws{false};
  Start({[&](Loop*, std::unique_ptr<transport::Channel>, std::shared_ptr<HandOff>) -> std::unique_ptr<Connection> {
           if (throws) throw std::bad_alloc();
           return nullptr;
         },
         nullptr});
  EXPECT_TRUE(IsClosed(Connect()));
  ASSERT_TRUE(ended_.WaitFor(1));
  throws = true;
  EXPECT_TRUE(IsClosed(Connect()));
  ASSERT_TRUE(ended_.WaitFor(2));
}

TEST_F(LoopTest, TellsThoseThatAreThereAndThoseThatComeToGoAway) {
  Start();
  const FileDescriptor there = Served();
  loop_->GoAway();
  EXPECT_EQ(ReceivedBy(there, 1), "G");
  const FileDescriptor later = Connect();
  EXPECT_EQ(ReceivedBy(later, 1), "G");
  Send(later, "x");
  EXPECT_EQ(ReceivedBy(later, 1), "x");
}

TEST_F(LoopTest, DrainsWhenTheLastConnectionHasEnded) {
  Start();
  const FileDescriptor idle = Served();
  const FileDescriptor busy = Served("h");
  Happenings drained;
  loop_->Drain([&] { drained.Add(); });
  EXPECT_EQ(ReceivedBy(idle, 2), "D");
  EXPECT_EQ(ReceivedBy(busy, 1), "D");
  const FileDescriptor late = Connect();
  EXPECT_EQ(ReceivedBy(late, 2), "D");
  ASSERT_TRUE(ended_.WaitFor(2));
  EXPECT_EQ(drained.count(), 0u);
  Send(busy, "e");
  EXPECT_EQ(ReceivedBy(busy, 2), "e");
  ASSERT_TRUE(drained.WaitFor(1));
  EXPECT_EQ(ended_.count(), 3u);
  const FileDescriptor after = Connect();
  EXPECT_EQ(ReceivedBy(after, 2), "D");
  ASSERT_TRUE(ended_.WaitFor(4));
  EXPECT_EQ(drained.count(), 1u);
}

TEST_F(LoopTest, TellsEveryoneWhoWaitsForADrain) {
  Start();
  const FileDescriptor busy = Served("h");
  Happenings drained;
  loop_->Drain([&] { drained.Add(); });
  loop_->Drain([&] { drained.Add(); });
  loop_->Destroy();
  EXPECT_EQ(drained.count(), 2u);
  loop_->Drain([&] { drained.Add(); });
  EXPECT_EQ(drained.count(), 3u);
}

TEST_F(LoopTest, DrainsAtOnceWithoutConnections) {
  Start();
  Happenings drained;
  loop_->Drain([&] { drained.Add(); });
  EXPECT_TRUE(drained.WaitFor(1));
}

TEST_F(LoopTest, ClosesEverythingWhenItIsDestroyed) {
  Start();
  const FileDescriptor idle = Served();
  const FileDescriptor busy = Served("h");
  loop_->Destroy();
  EXPECT_TRUE(IsClosed(idle));
  EXPECT_TRUE(IsClosed(busy));
  EXPECT_EQ(ended_.count(), 2u);
  loop_->Destroy();
  loop_->GoAway();
  EXPECT_TRUE(IsClosed(Connect()));
  EXPECT_EQ(ended_.count(), 2u);
}

TEST_F(LoopTest, ClosesWhatATakerGetsThatOutlivesIt) {
  Start();
  const FileDescriptor client = Served();
  loop_->Destroy();
  loop_.reset();
  EXPECT_TRUE(IsClosed(Connect()));
}

// Calls the engine, and never answers.
class CallingConnection : public TestConnection, public InferWaiter {
 public:
  CallingConnection(Loop* loop, std::unique_ptr<transport::Channel> channel) : TestConnection(loop, std::move(channel)) {
    EXPECT_TRUE(loop->calls().Submit(serving::EchoRequest(), 0, this).ok());
  }
  void OnOutcome(uint64_t, InferOutcome) override { ADD_FAILURE() << "told after its end"; }
};

TEST_F(LoopTest, CancelsCallsThatNobodyWaitsForWhenItIsDestroyed) {
  engine_.session->ShutGate();
  Start({[](Loop* loop, std::unique_ptr<transport::Channel> channel, std::shared_ptr<HandOff>) {
           return std::make_unique<CallingConnection>(loop, std::move(channel));
         },
         nullptr});
  const FileDescriptor client = Connect();
  engine_.session->WaitForStarted(1);
  loop_->Destroy();
  while (engine_.engine.admission().requests() > 0) std::this_thread::yield();
}

TEST(DateLine, IsThatOfNode) {
  EXPECT_EQ(DateLine(0), "Date: Thu, 01 Jan 1970 00:00:00 GMT\r\n");
  EXPECT_EQ(DateLine(951'782'400), "Date: Tue, 29 Feb 2000 00:00:00 GMT\r\n");
  EXPECT_EQ(DateLine(4'102'444'799), "Date: Thu, 31 Dec 2099 23:59:59 GMT\r\n");
}

TEST_F(LoopTest, KnowsTheTime) {
  std::promise<std::string> line;
  Start({[&](Loop* loop, std::unique_ptr<transport::Channel>, std::shared_ptr<HandOff>) -> std::unique_ptr<Connection> {
           EXPECT_EQ(&loop->date_line(), &loop->date_line());
           line.set_value(loop->date_line());
           return nullptr;
         },
         nullptr});
  const std::time_t before = std::time(nullptr);
  Connect();
  const std::string seen = line.get_future().get();
  bool is_between = false;
  for (std::time_t second = before; second <= std::time(nullptr); ++second) is_between = is_between || seen == DateLine(second);
  EXPECT_TRUE(is_between) << seen;
}

TEST(ByteBudget, TakesWhatFitsAndNothingOfWhatDoesNot) {
  ByteBudget budget(100);
  EXPECT_TRUE(budget.Take(60));
  EXPECT_FALSE(budget.Take(41));
  EXPECT_FALSE(budget.Take(UINT64_MAX));
  EXPECT_TRUE(budget.Take(40));
  budget.GiveBack(60);
  EXPECT_TRUE(budget.Take(60));
  ByteBudget unlimited(0);
  EXPECT_TRUE(unlimited.Take(UINT64_MAX / 2));
  EXPECT_TRUE(unlimited.Take(UINT64_MAX / 2));
}

}  // namespace
}  // namespace penstock::frontend
