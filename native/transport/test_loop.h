// A loop for tests, and ways to wait for it.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <future>
#include <memory>
#include <utility>

#include "transport/event_loop.h"
#include "transport/test_peers.h"

namespace penstock::transport {

inline std::unique_ptr<EventLoop> StartLoop() {
  Result<std::unique_ptr<EventLoop>> loop = EventLoop::Start("test-loop");
  EXPECT_TRUE(loop.ok()) << loop.status().message();
  return std::move(loop).value();
}

inline bool Comes(std::future<void> future) { return future.wait_for(std::chrono::milliseconds(kPatienceMs)) == std::future_status::ready; }

// Runs `task` on the loop and waits for it.
template <typename Task>
void RunOn(EventLoop& loop, Task task) {
  std::promise<void> done;
  loop.Post([&] {
    task();
    done.set_value();
  });
  ASSERT_TRUE(Comes(done.get_future()));
}

// The turn that goes on has ended when this returns, with all that it destroys, and the one after it too.
inline void LetTurnsPass(EventLoop& loop) {
  for (int i = 0; i < 2; ++i) RunOn(loop, [] {});
}

}  // namespace penstock::transport
