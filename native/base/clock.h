// Monotonic time. Code that decides by time takes the time as an argument; only threads' outermost loops read the clock.
#pragma once

#include <chrono>
#include <cstdint>

namespace penstock {

inline constexpr int64_t kNever = INT64_MAX;  // a moment
inline constexpr int64_t kNsPerSecond = 1'000'000'000;

inline int64_t MonotonicNs() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

}  // namespace penstock
