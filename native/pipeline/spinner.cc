#include "pipeline/spinner.h"

#include <sys/resource.h>

#include <algorithm>

#include "base/clock.h"

namespace penstock::pipeline {
namespace {

std::atomic<int> spinning_lanes{0};  // of the process

void Relax() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// How often the kernel has taken the core away from this thread although it wanted to run on.
long Preemptions() {
  struct rusage usage {};
  return getrusage(RUSAGE_THREAD, &usage) == 0 ? usage.ru_nivcsw : 0;
}

}  // namespace

int64_t SpinPolicy::Allowance(int64_t now_ns) {
  if (max_ns_ <= 0) return 0;
  if (refilled_ns_ == 0) refilled_ns_ = now_ns;
  const double earned = static_cast<double>(now_ns - refilled_ns_) * kMaxWastedShare;
  const double full = static_cast<double>(kBurstSpins) * static_cast<double>(max_ns_);
  credit_ns_ = static_cast<int64_t>(std::min(full, static_cast<double>(credit_ns_) + earned));
  refilled_ns_ = now_ns;
  if (waits_to_sit_out_ > 0) {
    --waits_to_sit_out_;
    return 0;
  }
  return credit_ns_ >= max_ns_ ? max_ns_ : 0;
}

void SpinPolicy::Learn(int64_t spun_ns, bool found_work, bool preempted) {
  if (found_work && !preempted) {
    wasted_in_a_row_ = 0;
    return;
  }
  credit_ns_ -= spun_ns;
  wasted_in_a_row_ = std::min(wasted_in_a_row_ + 1, kMaxDoublings);
  waits_to_sit_out_ = (1 << wasted_in_a_row_) - 1;
}

bool Spinner::Claim(int64_t now_ns) {
  if (options_.cpus <= 1) return false;
  allowance_ns_ = policy_.Allowance(now_ns);
  if (allowance_ns_ == 0) return false;
  if (spinning_lanes.fetch_add(1, std::memory_order_relaxed) >= options_.cpus - 1) {
    spinning_lanes.fetch_sub(1, std::memory_order_relaxed);
    return false;
  }
  claimed_ns_ = now_ns;
  return true;
}

void Spinner::Spin(const std::atomic<uint64_t>& news, uint64_t seen) {
  constexpr int kLooksPerClockRead = 16;
  const long preemptions = Preemptions();
  bool found = false;
  int64_t now_ns = claimed_ns_;
  while (!found && now_ns - claimed_ns_ < allowance_ns_) {
    for (int i = 0; i < kLooksPerClockRead && !found; ++i) {
      found = news.load(std::memory_order_relaxed) != seen;
      if (!found) Relax();
    }
    now_ns = MonotonicNs();
  }
  spinning_lanes.fetch_sub(1, std::memory_order_relaxed);
  policy_.Learn(now_ns - claimed_ns_, found, Preemptions() != preemptions);
}

}  // namespace penstock::pipeline
