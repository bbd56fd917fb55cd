// A lane that has just gone idle looks for work a little longer before it sleeps, while that saves waking it and costs nobody a core.
#pragma once

#include <atomic>
#include <cstdint>

namespace penstock::pipeline {

struct SpinOptions {
  int64_t max_ns = 0;  // of one wait; 0 = never spin
  int cpus = 1;        // usable by this process; with one there is never a spare
};

// Whether the next wait of one lane may spin: pure, the time is passed in.
//
// A spin that finds work has paid for itself: the lane would have been woken otherwise. Others are bounded twice. After each of them in a
// row the policy sits out twice as many waits as before (1, 3, 7 ... 1023), and together they never take more than kMaxWastedShare of the
// lane's time plus kBurstSpins spins. So one lane burns at most 5 % of a core for nothing, and at most max_ns for each request it answers.
class SpinPolicy {
 public:
  static constexpr double kMaxWastedShare = 0.05;
  static constexpr int kBurstSpins = 4;

  explicit SpinPolicy(int64_t max_ns) : max_ns_(max_ns), credit_ns_(kBurstSpins * max_ns) {}

  // Called once for each wait. Nanoseconds that it may spin; 0 = sleep at once.
  int64_t Allowance(int64_t now_ns);
  // How the allowed spin went. `preempted`: the kernel gave the core to another thread meanwhile, so cores are not spare.
  void Learn(int64_t spun_ns, bool found_work, bool preempted);

 private:
  static constexpr int kMaxDoublings = 10;

  const int64_t max_ns_;
  int64_t credit_ns_;  // that may still be wasted
  int64_t refilled_ns_ = 0;
  int wasted_in_a_row_ = 0;
  int waits_to_sit_out_ = 0;
};

// The spinning of one lane; used by its thread only. At most `cpus` - 1 lanes of the process spin at one time.
class Spinner {
 public:
  explicit Spinner(const SpinOptions& options) : options_(options), policy_(options.max_ns) {}

  // Claims a place among the spinning lanes and returns true when the wait that begins now may spin. Call Spin then.
  bool Claim(int64_t now_ns);
  // Returns as soon as `news` differs from `seen`, and at the end of the allowance. Call without locks.
  void Spin(const std::atomic<uint64_t>& news, uint64_t seen);

 private:
  const SpinOptions options_;
  SpinPolicy policy_;
  int64_t claimed_ns_ = 0;  // when
  int64_t allowance_ns_ = 0;
};

}  // namespace penstock::pipeline
