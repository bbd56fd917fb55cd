// A loop for tests that look at what happens on it.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <future>
#include <memory>
#include <thread>
#include <utility>

#include "transport/event_loop.h"

namespace penstock::frontend {

class TestLoop {
 public:
  TestLoop() {
    auto started = transport::EventLoop::Start("test-loop");
    EXPECT_TRUE(started.ok()) << started.status().message();
    if (started.ok()) loop_ = std::move(started).value();
  }

  transport::EventLoop* get() { return loop_.get(); }
  void Stop() { loop_->Stop(); }

  // Runs `look` on the loop's thread and returns what it does.
  template <typename Look>
  auto On(Look look) -> decltype(look()) {
    std::packaged_task<decltype(look())()> task(std::move(look));
    auto result = task.get_future();
    loop_->Post([&task] { task(); });
    return result.get();
  }

  // Whether `holds` becomes true on the loop's thread in time.
  template <typename Holds>
  bool Until(Holds holds) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (!On(holds)) {
      if (std::chrono::steady_clock::now() > end) return false;
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return true;
  }

 private:
  std::unique_ptr<transport::EventLoop> loop_;
};

}  // namespace penstock::frontend
