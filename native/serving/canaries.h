// Asks the canaries of all versions on GPUs at intervals, on a thread of its own, and keeps what came of it for each GPU.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "pipeline/canary.h"
#include "serving/model_version.h"

namespace penstock::serving {

// Of the canaries of all versions on one GPU.
struct CanaryState {
  uint64_t runs = 0;  // answered, rightly or wrongly
  uint64_t mismatches = 0;
  // In a row, up to now, of the served version that has most: others on the same GPU may be well.
  uint64_t consecutive_mismatches = 0;
  uint64_t consecutive_failures = 0;
  std::string text;     // of the last mismatch or failure; empty while there is none in a row
  int64_t age_ms = -1;  // since the last answer; -1 = none yet
};

// Thread-safe.
class Canaries {
 public:
  // Calls Stop().
  ~Canaries();

  // Milliseconds between two rounds, from the next one on; 0 = none, which is where it starts.
  void SetInterval(int64_t interval_ms);

  // [any thread] A version without a canary is left out. `version` comes from Reaper::Adopt: a round may drop its last reference. It is
  // held during its own check only. Throws std::system_error when the machine has no thread left for the first one.
  void Add(const std::shared_ptr<ModelVersion>& version);

  // [any thread] By UUID. Never waits for a GPU.
  CanaryState state(const std::string& gpu) const;

  // [any thread but its own] Ends the check in progress and joins; nothing is checked any more.
  void Stop();

 private:
  struct Totals {
    uint64_t runs = 0;
    uint64_t mismatches = 0;
    int64_t answered_ns = 0;  // 0 = never
  };
  struct Streak {
    uint64_t mismatches = 0;
    uint64_t failures = 0;
    std::string text;
  };
  struct Watched {
    std::weak_ptr<ModelVersion> version;
    std::map<std::string, Streak> streaks;  // by UUID
  };
  void Loop();
  // With *lock held; lets go of it for each check.
  void CheckAll(std::unique_lock<std::mutex>* lock);
  void Record(const pipeline::CanaryCheck& check, Watched* watched);

  mutable std::mutex mutex_;  // guards everything
  std::condition_variable changed_;
  int64_t interval_ms_ = 0;
  bool stop_ = false;
  std::list<Watched> watched_;  // only the thread takes out
  std::map<std::string, Totals> totals_;
  pipeline::Canary* checking_ = nullptr;
  std::mutex stopping_;  // one at a time joins
  std::thread thread_;
};

}  // namespace penstock::serving
