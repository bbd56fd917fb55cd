#include "transport/event_loop.h"

#include <gtest/gtest.h>
#include <pthread.h>
#include <sys/socket.h>

#include <atomic>
#include <functional>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "transport/test_loop.h"
#include "transport/test_peers.h"

namespace penstock::transport {
namespace {

// Returns once Stop, called by another thread, has begun: tasks are refused from then on.
void WaitUntilStopping(EventLoop& loop) {
  for (;;) {
    const auto probe = std::make_shared<int>(0);
    loop.Post([probe] {});
    if (probe.use_count() == 1) return;
    std::this_thread::yield();
  }
}

void SendByte(const FileDescriptor& fd) { EXPECT_EQ(send(fd.get(), "x", 1, MSG_NOSIGNAL), 1); }

class Handler : public EventHandler {
 public:
  ~Handler() override {
    if (on_destroyed) on_destroyed();
  }
  void OnReady(uint32_t events) override {
    if (on_ready) on_ready(events);
  }
  void OnTurnEnd() override {
    if (on_turn_end) on_turn_end();
  }
  std::function<void(uint32_t)> on_ready;
  std::function<void()> on_turn_end;
  std::function<void()> on_destroyed;
};

TEST(EventLoopTest, RunsTasksOnItsThreadInTheOrderOfTheCalls) {
  const auto loop = StartLoop();
  std::vector<int> ran;
  std::string name;
  for (int i = 0; i < 1000; ++i) loop->Post([&ran, i] { ran.push_back(i); });
  RunOn(*loop, [&] {
    char buffer[16] = "";
    pthread_getname_np(pthread_self(), buffer, sizeof buffer);
    name = buffer;
  });
  EXPECT_EQ(name, "test-loop");
  ASSERT_EQ(ran.size(), 1000u);
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(ran[static_cast<size_t>(i)], i);
}

TEST(EventLoopTest, RunsWhatATaskPostsAfterTheTasksThatWaitAlready) {
  const auto loop = StartLoop();
  std::string order;
  std::promise<void> done;
  RunOn(*loop, [&] {
    loop->Post([&] {
      order += 'a';
      loop->Post([&] {
        order += 'c';
        done.set_value();
      });
    });
    loop->Post([&] { order += 'b'; });
  });
  ASSERT_TRUE(Comes(done.get_future()));
  EXPECT_EQ(order, "abc");
}

TEST(EventLoopStressTest, LosesNoTaskThatComesWhileItFallsAsleep) {
  const auto loop = StartLoop();
  std::vector<std::thread> threads;
  std::atomic<int> answered{0};
  for (int i = 0; i < 2; ++i) {
    threads.emplace_back([&] {
      for (int j = 0; j < 3000; ++j) {
        std::promise<void> done;
        loop->Post([&done] { done.set_value(); });
        if (!Comes(done.get_future())) std::abort();  // the task holds a reference to what goes here
        ++answered;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(answered, 6000);
}

TEST(EventLoopTest, TellsWhatADescriptorIsReadyForUntilItIsForgotten) {
  const auto loop = StartLoop();
  auto [ours, theirs] = SocketPair();
  const int fd = ours.get();
  Handler handler;
  std::atomic<uint32_t> told{0};
  std::atomic<int> calls{0};
  std::promise<void> readable, writable;
  handler.on_ready = [&](uint32_t events) {
    told |= events;
    ++calls;
    if (events & EPOLLIN) {
      loop->Rewatch(fd, EPOLLOUT, &handler);
      readable.set_value();
    } else {
      loop->Forget(fd);
      writable.set_value();
    }
  };
  RunOn(*loop, [&] { EXPECT_TRUE(loop->Watch(fd, EPOLLIN, &handler).ok()); });
  EXPECT_EQ(told, 0u);
  SendByte(theirs);
  ASSERT_TRUE(Comes(readable.get_future()));
  ASSERT_TRUE(Comes(writable.get_future()));
  EXPECT_EQ(told, static_cast<uint32_t>(EPOLLIN | EPOLLOUT));
  SendByte(theirs);
  LetTurnsPass(*loop);
  EXPECT_EQ(calls, 2);
}

TEST(EventLoopTest, TellsThatTheOtherSideHasEnded) {
  const auto loop = StartLoop();
  auto [ours, theirs] = SocketPair();
  Handler handler;
  std::promise<void> ended;
  handler.on_ready = [&, fd = ours.get()](uint32_t events) {
    EXPECT_TRUE(events & EPOLLRDHUP);
    loop->Forget(fd);
    ended.set_value();
  };
  RunOn(*loop, [&] { EXPECT_TRUE(loop->Watch(ours.get(), EPOLLRDHUP, &handler).ok()); });
  theirs.Reset();
  EXPECT_TRUE(Comes(ended.get_future()));
}

TEST(EventLoopTest, SaysWhyItCannotWatchADescriptor) {
  const auto loop = StartLoop();
  Handler handler;
  RunOn(*loop, [&] {
    const Status status = loop->Watch(-1, EPOLLIN, &handler);
    EXPECT_EQ(status.code(), StatusCode::kInternal);
    EXPECT_NE(status.message().find("Bad file descriptor"), std::string::npos);
  });
}

TEST(EventLoopTest, DoesSocketsThenTimersThenTasksThenTheEndOfTheTurn) {
  const auto loop = StartLoop();
  auto [ours, theirs] = SocketPair();
  std::string order;
  std::promise<void> done;
  Handler handler;
  handler.on_ready = [&](uint32_t) {
    order += 's';
    loop->Forget(ours.get());
    loop->AtTurnEnd(&handler);
  };
  handler.on_turn_end = [&] {
    order += 'e';
    done.set_value();
  };
  Timer timer(loop.get(), [&] { order += 't'; });
  RunOn(*loop, [&] {
    EXPECT_TRUE(loop->Watch(ours.get(), EPOLLIN, &handler).ok());
    SendByte(theirs);
    timer.SetAt(loop->now_ns());
    loop->Post([&] { order += 'p'; });
  });
  ASSERT_TRUE(Comes(done.get_future()));
  EXPECT_EQ(order, "stpe");
}

TEST(EventLoopTest, CallsAHandlerOnceAtTheEndOfTheTurnHoweverOftenItWasAskedFor) {
  const auto loop = StartLoop();
  int calls = 0;
  Handler handler;
  handler.on_turn_end = [&] { ++calls; };
  RunOn(*loop, [&] {
    for (int i = 0; i < 3; ++i) loop->AtTurnEnd(&handler);
    EXPECT_EQ(calls, 0);
  });
  LetTurnsPass(*loop);
  EXPECT_EQ(calls, 1);
  RunOn(*loop, [&] { loop->AtTurnEnd(&handler); });
  LetTurnsPass(*loop);
  EXPECT_EQ(calls, 2);
}

TEST(EventLoopTest, EndsTheTurnOfAHandlerThatAnotherAsksForAtItsOwnEnd) {
  const auto loop = StartLoop();
  Handler first, second;
  int64_t first_at = 0, second_at = 0;
  int calls = 0;
  first.on_turn_end = [&] {
    first_at = loop->now_ns();
    loop->AtTurnEnd(&second);
    loop->AtTurnEnd(&second);
  };
  second.on_turn_end = [&] {
    second_at = loop->now_ns();
    ++calls;
  };
  RunOn(*loop, [&] { loop->AtTurnEnd(&first); });
  LetTurnsPass(*loop);
  EXPECT_EQ(calls, 1);
  EXPECT_EQ(first_at, second_at) << "the same turn";
}

TEST(EventLoopTest, CallsAHandlerThatIsAskedForAfterItsEndInTheNextTurnWithoutWaiting) {
  const auto loop = StartLoop();
  Handler handler;
  std::vector<int64_t> turns;
  std::promise<void> done;
  handler.on_turn_end = [&] {
    turns.push_back(loop->now_ns());
    if (turns.size() < 3) {
      loop->AtTurnEnd(&handler);
    } else {
      done.set_value();
    }
  };
  loop->Post([&] { loop->AtTurnEnd(&handler); });
  ASSERT_TRUE(Comes(done.get_future()));
  EXPECT_LT(turns[0], turns[1]);
  EXPECT_LT(turns[1], turns[2]);
}

TEST(EventLoopTest, DestroysARetiredHandlerWhenTheTurnHasEnded) {
  const auto loop = StartLoop();
  std::string order;
  Handler other;
  other.on_turn_end = [&] { order += 'e'; };
  RunOn(*loop, [&] {
    auto owned = std::make_unique<Handler>();
    owned->on_destroyed = [&] { order += 'd'; };
    owned->on_turn_end = [&] { order += '!'; };
    loop->AtTurnEnd(owned.get());
    loop->Retire(std::move(owned));
    loop->AtTurnEnd(&other);
    loop->Post([&] { order += 'n'; });
    order += 'r';
  });
  LetTurnsPass(*loop);
  EXPECT_EQ(order, "redn");
}

TEST(EventLoopTest, ForgetsAHandlerThatRetiresItselfAtTheEndOfTheTurnAndAskedForTheNext) {
  const auto loop = StartLoop();
  int ends = 0;
  std::atomic<bool> destroyed{false};
  RunOn(*loop, [&] {
    auto owned = std::make_unique<Handler>();
    Handler* const raw = owned.get();
    raw->on_destroyed = [&] { destroyed = true; };
    raw->on_turn_end = [&, raw, held = std::make_shared<std::unique_ptr<Handler>>(std::move(owned))] {
      ++ends;
      loop->AtTurnEnd(raw);
      loop->Retire(std::move(*held));
    };
    loop->AtTurnEnd(raw);
  });
  LetTurnsPass(*loop);
  EXPECT_TRUE(destroyed);
  EXPECT_EQ(ends, 1);
}

TEST(EventLoopTest, DestroysWhatARetiredHandlerRetires) {
  const auto loop = StartLoop();
  std::atomic<int> destroyed{0};
  RunOn(*loop, [&] {
    auto owner = std::make_unique<Handler>();
    owner->on_destroyed = [&] {
      auto owned = std::make_unique<Handler>();
      owned->on_destroyed = [&] { ++destroyed; };
      loop->Retire(std::move(owned));
      ++destroyed;
    };
    loop->Retire(std::move(owner));
  });
  LetTurnsPass(*loop);
  EXPECT_EQ(destroyed, 2);
}

TEST(EventLoopTest, EndsThatWhichWaitsWhenItStops) {
  const auto loop = StartLoop();
  const auto held = std::make_shared<int>(0);
  std::promise<void> running, stopped;
  std::atomic<bool> ran{false};
  loop->Post([&] {
    running.set_value();
    stopped.get_future().wait();
    loop->Post([&ran, held] { ran = true; });
  });
  ASSERT_TRUE(Comes(running.get_future()));
  loop->Post([&ran, held] { ran = true; });
  std::thread stopping([&] { loop->Stop(); });
  WaitUntilStopping(*loop);
  stopped.set_value();
  stopping.join();
  loop->Stop();
  EXPECT_FALSE(ran);
  EXPECT_EQ(held.use_count(), 1) << "tasks that never run are destroyed";
  loop->Post([held] {});
  EXPECT_EQ(held.use_count(), 1);
}

TEST(EventLoopTest, MayBeUsedByWhoeverHasStoppedIt) {
  auto loop = StartLoop();
  auto [ours, theirs] = SocketPair();
  auto owned = std::make_unique<Handler>();
  Handler* const raw = owned.get();
  bool destroyed = false;
  raw->on_destroyed = [&, timer = std::make_shared<Timer>(loop.get(), [] {})] {
    timer->Cancel();
    destroyed = true;
  };
  auto timer = std::make_unique<Timer>(loop.get(), [] {});
  RunOn(*loop, [&] {
    EXPECT_TRUE(loop->Watch(ours.get(), EPOLLIN, raw).ok());
    timer->SetAt(loop->now_ns() + 3600 * kNsPerSecond);
  });
  loop->Stop();
  loop->Forget(ours.get());
  timer->SetAt(loop->now_ns());
  timer.reset();
  loop->AtTurnEnd(raw);
  loop->Retire(std::move(owned));
  EXPECT_FALSE(destroyed) << "it may be in a call of its own";
  loop.reset();
  EXPECT_TRUE(destroyed);
}

TEST(EventLoopTest, StopsThoughATaskHoldsWhoeverOwnsIt) {
  struct Owner {
    std::unique_ptr<EventLoop> loop = StartLoop();
  };
  auto owner = std::make_shared<Owner>();
  const std::weak_ptr<Owner> watching = owner;
  std::promise<void> running, go;
  owner->loop->Post([&] {
    running.set_value();
    go.get_future().wait();
  });
  ASSERT_TRUE(Comes(running.get_future()));
  EventLoop* const loop = owner->loop.get();
  loop->Post([loop, held = std::move(owner)] {});
  std::thread stopping([&] { loop->Stop(); });
  WaitUntilStopping(*loop);
  go.set_value();
  stopping.join();
  EXPECT_TRUE(watching.expired());
}

}  // namespace
}  // namespace penstock::transport
