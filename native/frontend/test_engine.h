// An engine that serves "echo", and a way onto the thread of a loop, for tests of this folder.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <utility>

#include "serving/engine.h"
#include "serving/test_model.h"
#include "transport/event_loop.h"

namespace penstock::frontend {

// Long enough for any machine; a test that passes never waits so long.
constexpr std::chrono::seconds kPatience(30);

struct TestEngine {
  explicit TestEngine(serving::VersionSpec spec = serving::EchoSpec(), serving::AdmissionLimits limits = {0, 0})
      : session(serving::FakeFor(spec)), engine(limits) {
    auto catalog = std::make_shared<serving::Catalog>();
    serving::CatalogModel& model = catalog->models["echo"];
    model.versions[spec.version].version = engine.reaper().Adopt(serving::ModelVersion::Create(session, spec, nullptr).value());
    model.default_version = spec.version;
    engine.catalog().Publish(std::move(catalog));
  }

  pipeline::CounterSnapshot Counted() {
    return engine.catalog().Current()->Find("echo", "").value()->version->pipeline().counters().Snapshot();
  }

  const std::shared_ptr<session::FakeSession> session;
  serving::Engine engine;
};

// Runs `task` on the loop's thread and returns when it has run.
inline void OnLoop(transport::EventLoop* loop, const std::function<void()>& task) {
  std::promise<void> ran;
  loop->Post([&] {
    task();
    ran.set_value();
  });
  ran.get_future().wait();
}

// Counts what happens on other threads. Thread-safe.
class Happenings {
 public:
  void Add() {
    const std::lock_guard<std::mutex> lock(mutex_);
    ++count_;
    changed_.notify_all();
  }
  // False when fewer have happened in time.
  bool WaitFor(size_t count) {
    std::unique_lock<std::mutex> lock(mutex_);
    return changed_.wait_for(lock, kPatience, [&] { return count_ >= count; });
  }
  size_t count() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return count_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  size_t count_ = 0;
};

}  // namespace penstock::frontend
