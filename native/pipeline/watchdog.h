// Ends a process whose GPU has stopped answering: a thread that never calls CUDA, because whoever does may never come back.
//
// Timed are the runs of lanes and canaries, not those of a warm-up, nor those that are the first of their kind on a lane with a session of
// its own: the first runs of a model compile kernels and search algorithms, for minutes where an old library meets a new GPU, and there is
// nothing yet to judge them by. A warm-up that hangs keeps its version from being served, which start-up probes see; a GPU that hangs also
// holds up the lanes and canaries of other versions, which are timed.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <functional>
#include <memory>
#include <string>

#include "pipeline/heartbeat.h"

namespace penstock::pipeline {

struct WatchdogOptions {
  // A run that takes longer than this, and than ten times the 99.9 % quantile of its model, counts as hung; one that takes three times that
  // ends the process. Milliseconds; 0 = nothing counts as hung, only successes are noted.
  int64_t limit_ms = 0;
  // [a thread of its own] Called once before the end, to say why, and waited for a second at most. Must not wait for a lane, a GPU or a
  // JavaScript thread.
  std::function<void(const HungRun&)> before_abort;
  std::function<void()> abort = [] { std::abort(); };  // not exit(): destructors would wait for the GPU
};

// Thread-safe. One a process; its thread starts with the first heartbeat.
class Watchdog {
 public:
  explicit Watchdog(WatchdogOptions options);
  // Joins the thread. Heartbeats may outlive it.
  ~Watchdog();
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;

  // A heartbeat for one thread that runs `model` on the GPU. `history` is shared by all threads of a version.
  // Throws std::system_error when the machine has no thread left for the first one.
  std::unique_ptr<Heartbeat> Watch(std::string model, std::string gpu, std::shared_ptr<RunHistory> history);

  // [any thread] By UUID, as things stand now.
  GpuActivity activity(const std::string& gpu) const;

 private:
  struct State;
  const std::unique_ptr<State> state_;
};

}  // namespace penstock::pipeline
