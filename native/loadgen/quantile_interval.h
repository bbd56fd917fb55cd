// Confidence intervals of quantiles from order statistics: no assumption about how latencies are distributed.
#pragma once

#include <cstdint>

namespace penstock::loadgen {

struct RankInterval {
  uint64_t low;   // ranks from 1; 0 = the values say nothing about the lower end
  uint64_t high;  // above the number of values: they say nothing about the upper end
};

// The true quantile `share` lies between the values of these ranks with at least `confidence`, half of the doubt on each side: the number
// of values below it is binomial (David and Nagaraja, "Order Statistics", 3rd edition, 7.1). Values count as independent, which latencies
// of one queue are not quite: of a loaded server the interval is too narrow.
RankInterval QuantileInterval(uint64_t values, double share, double confidence);

}  // namespace penstock::loadgen
