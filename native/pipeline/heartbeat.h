// Which runs on GPUs are in progress and for how long, kept by the lanes and read by whoever watches them. Never calls a driver.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "session/session.h"

namespace penstock::pipeline {

// How long the runs of one model version take. Thread-safe, without locks: 512 counters, eight to an octave of nanoseconds.
class RunHistory {
 public:
  void Record(int64_t ns) noexcept;
  // Nanoseconds that 99.9 % of the runs so far did not pass, an eighth too much at most; of fewer than a thousand runs, the longest.
  // 0 = none yet.
  int64_t Quantile999() const noexcept;

 private:
  std::array<std::atomic<uint64_t>, 512> counts_{};
};

// Of a run that takes too long.
struct HungRun {
  std::string model;
  std::string gpu;         // UUID
  int64_t running_ms = 0;
  int64_t allowed_ms = 0;  // longer counts as hung
};

// Of one GPU.
struct GpuActivity {
  int64_t hung_ms = 0;             // how long its oldest run has been running, when that is longer than allowed; 0 otherwise
  int64_t last_batch_age_ms = -1;  // since a run last succeeded; -1 = none yet
  // Which model that oldest run is of; else the one whose run broke the context, where no other model was running there. May be empty.
  std::string suspect;
};

// Instead of when a run begins: it may take any time, and its end is not noted.
inline constexpr int64_t kUntimed = INT64_MAX;

// Of one thread that runs models on a GPU. Begin and End: that thread only, the same monotonic clock as everywhere.
class Heartbeat {
 public:
  ~Heartbeat();
  Heartbeat(const Heartbeat&) = delete;
  Heartbeat& operator=(const Heartbeat&) = delete;

  void Begin(int64_t now_ns) noexcept;
  // Only runs that succeeded say how long runs take.
  void End(int64_t now_ns, bool succeeded) noexcept;
  // Between the two: the run has met a context that is broken for good. Whoever is first on a GPU is suspected, if alone.
  void Broke() noexcept;

 private:
  friend class Heartbeats;
  struct Place;
  struct Entry;
  struct Registry;
  Heartbeat(std::shared_ptr<Registry> registry, std::unique_ptr<Entry> entry);
  const std::shared_ptr<Registry> registry_;
  const std::unique_ptr<Entry> entry_;
};

// All heartbeats of a process. Thread-safe; its lock is never held while a GPU works. Pure: every call is told the time.
class Heartbeats {
 public:
  // A run counts as hung when it takes longer than this and than ten times the 99.9 % quantile of its model. Nanoseconds; 0 = none does.
  explicit Heartbeats(int64_t limit_ns);

  // `model` is for messages. The heartbeat may outlive this object.
  std::unique_ptr<Heartbeat> Add(std::string model, std::string gpu, std::shared_ptr<RunHistory> history);

  GpuActivity activity(const std::string& gpu, int64_t now_ns) const;

  // [one thread, at intervals well below half of the limit] The run that has taken longest of those that have taken more than three times
  // what counts as hung. Calls half of the limit apart mean that the whole process stood still (stopped, or a machine asleep): runs in
  // progress are then taken to have begun just now.
  std::optional<HungRun> Overdue(int64_t now_ns);

 private:
  const std::shared_ptr<Heartbeat::Registry> registry_;
};

// UUID of the GPU that runs with `control` go to; the session must have one.
std::string GpuOf(const session::Session& session, const session::RunControl& control);

}  // namespace penstock::pipeline
