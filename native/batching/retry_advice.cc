#include "batching/retry_advice.h"

#include <algorithm>
#include <cmath>

namespace penstock::batching {
namespace {

// Clients that do not obey would let the virtual queue grow for as long as an overload lasts, and it would take as long again to empty.
constexpr double kLongestSeconds = 30;

}  // namespace

int64_t RetryAdvice::Refused(int64_t rows, int64_t overshoot_ns, double rows_per_second, int64_t now_ns) {
  double seconds = static_cast<double>(std::max<int64_t>(overshoot_ns, 0)) / 1e9;
  if (rows_per_second > 0) {
    const double drained = static_cast<double>(now_ns - drained_ns_) / 1e9 * rows_per_second;
    told_rows_ = std::max(0.0, told_rows_ - drained) + static_cast<double>(std::max<int64_t>(rows, 1));
    told_rows_ = std::min(told_rows_, kLongestSeconds * rows_per_second);
    seconds += told_rows_ / rows_per_second;
  }
  drained_ns_ = now_ns;
  const double rounding = 1e-6;  // of sums in binary fractions, which must not make a whole millisecond two
  return std::max<int64_t>(1, static_cast<int64_t>(std::ceil(std::min(seconds * 1e3, 1e15) - rounding)));
}

}  // namespace penstock::batching
