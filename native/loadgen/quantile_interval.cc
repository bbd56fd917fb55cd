#include "loadgen/quantile_interval.h"

#include <algorithm>
#include <cmath>

namespace penstock::loadgen {
namespace {

// Logarithm of n! without lgamma, which writes a global: Stirling's series, to 1e-10 and better from 10 on.
double LogFactorial(double n) {
  if (n < 10) {
    double product = 1;
    for (double i = 2; i <= n; ++i) product *= i;
    return std::log(product);
  }
  constexpr double kHalfLogTwoPi = 0.9189385332046727;
  return (n + 0.5) * std::log(n) - n + kHalfLogTwoPi + 1 / (12 * n) - 1 / (360 * n * n * n) + 1 / (1260 * std::pow(n, 5));
}

}  // namespace

RankInterval QuantileInterval(uint64_t values, double share, double confidence) {
  const auto n = static_cast<double>(values);
  const double doubt = (1 - confidence) / 2;
  const double reach = 12 * std::sqrt(n * share * (1 - share)) + 12;  // what lies further out is below 1e-30
  const auto first = static_cast<uint64_t>(std::max(0.0, std::floor(n * share - reach)));
  const auto last = static_cast<uint64_t>(std::min(n, std::ceil(n * share + reach)));
  const auto probability = [&](uint64_t below) {
    const auto k = static_cast<double>(below);
    return std::exp(LogFactorial(n) - LogFactorial(k) - LogFactorial(n - k) + k * std::log(share) + (n - k) * std::log1p(-share));
  };
  RankInterval interval{first, last + 1};
  double below = probability(first);  // that fewer than low + 1 values are below the quantile
  while (below <= doubt && interval.low < last) below += probability(++interval.low);
  double above = probability(last);  // that at least high - 1 are
  while (above <= doubt && interval.high > first + 1) above += probability(--interval.high - 1);
  return interval;
}

}  // namespace penstock::loadgen
