// When refused clients should come back, so that they do not all come at once: a virtual queue of those who were told to
// (reference/batching.md 8). Pure, not thread-safe.
#pragma once

#include <cstdint>

namespace penstock::batching {

class RetryAdvice {
 public:
  // A refusal of `rows` rows that would have finished `overshoot_ns` too late, while the lanes manage `rows_per_second` (0 = not known).
  // Milliseconds, at least 1; whoever writes the header adds the jitter and the cap.
  int64_t Refused(int64_t rows, int64_t overshoot_ns, double rows_per_second, int64_t now_ns);

 private:
  double told_rows_ = 0;  // told to come back, and not expected to have done so yet
  int64_t drained_ns_ = 0;
};

}  // namespace penstock::batching
