// Memory that runs out on a loop: what it was for is given up, and the loop goes on.
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "base/test_failing_allocation.h"
#include "frontend/loop.h"
#include "frontend/request_events.h"
#include "frontend/test_connection.h"
#include "frontend/test_engine.h"

namespace penstock::frontend {
namespace {

TEST(OutOfMemory, LosesALineOfTheLogAndCountsIt) {
  RequestEvents events(true, true, [] {});
  const std::string path(500, 'p');  // takes memory, as short ones do not
  const Status status(StatusCode::kMemory, std::string(500, 'm'));
  constexpr uint64_t kTries = 40;
  for (uint64_t number = 0; number < kTries; ++number) {
    const FailingAllocation failing(static_cast<int>(number / 2));
    if (number % 2 == 0) {
      events.Failed({"GRPC", path, path}, status, true);
    } else {
      events.Ended({"GRPC", path, path}, {"OK", 0, 0, 0});
    }
  }
  uint64_t lost = 0;
  const size_t kept = events.Take(&lost).size();
  EXPECT_EQ(kept + lost, kTries);
  EXPECT_GT(kept, 0u);
  EXPECT_GE(lost, 6u);  // three texts of each kind at least
}

// Waits for the end of the turn from the start, as those of gRPC do.
class WaitingConnection : public TestConnection {
 public:
  WaitingConnection(Loop* loop, std::unique_ptr<transport::Channel> channel) : TestConnection(loop, std::move(channel)) {
    loop->events_loop().AtTurnEnd(this);
    failing_.emplace(0);
  }
  void OnTurnEnd() override { failing_.reset(); }

 private:
  std::optional<FailingAllocation> failing_;
};

TEST(OutOfMemory, KeepsAConnectionThatHasBegun) {
  TestEngine engine;
  const auto make = [](Loop* loop, std::unique_ptr<transport::Channel> channel, std::shared_ptr<HandOff>) -> std::unique_ptr<Connection> {
    return std::make_unique<WaitingConnection>(loop, std::move(channel));
  };
  const auto events = std::make_shared<RequestEvents>(false, false, [] {});
  const std::shared_ptr<Loop> loop = Loop::Start({}, &engine.engine, {}, {make, nullptr}, events, nullptr, 0).value();
  const auto taker = loop->TakerFor(Protocol::kHttp, nullptr, [] {});
  auto [ours, theirs] = SocketPair();
  taker->Take(std::move(theirs));
  Send(ours, "x");
  EXPECT_EQ(ReceivedBy(ours, 1), "x");
  loop->Destroy();
}

}  // namespace
}  // namespace penstock::frontend
