#include "simulation/arrivals.h"

#include <algorithm>
#include <cmath>

#include "base/random.h"

namespace penstock::simulation {
namespace {

constexpr double kMeanMixedRows = 0.7 * 1 + 0.2 * 4 + 0.1 * 16;
constexpr double kSwing = 0.8;

class Clock {
 public:
  Clock(Gaps gaps, double mean_ns, int64_t period_ns, Random* random)
      : gaps_(gaps), mean_ns_(mean_ns), period_ns_(static_cast<double>(period_ns)), random_(*random) {}

  double Next() {
    switch (gaps_) {
      case Gaps::kPoisson:
        return now_ns_ += random_.Exponential(mean_ns_);
      case Gaps::kGamma2:
        return now_ns_ += random_.Gamma(1.0 / 4, mean_ns_);
      case Gaps::kGamma4:
        return now_ns_ += random_.Gamma(1.0 / 16, mean_ns_);
      case Gaps::kOnOff:
        return NextOfPhases();
      case Gaps::kSine:
        return NextOfWave();
    }
    return now_ns_;
  }

 private:
  double NextOfPhases() {
    for (;;) {
      if (now_ns_ >= phase_ends_ns_) {
        on_ = !on_;
        now_ns_ = phase_ends_ns_;
        phase_ends_ns_ += random_.Exponential(20 * period_ns_);
      }
      if (on_) now_ns_ += random_.Exponential(mean_ns_ / 2);
      if (on_ && now_ns_ < phase_ends_ns_) return now_ns_;
      now_ns_ = phase_ends_ns_;  // what would come after the phase does not
    }
  }

  double NextOfWave() {
    constexpr double kTwoPi = 6.283185307179586;
    for (;;) {
      now_ns_ += random_.Exponential(mean_ns_ / (1 + kSwing));
      const double rate = 1 + kSwing * std::sin(kTwoPi * now_ns_ / (200 * period_ns_));
      if (random_.Uniform() * (1 + kSwing) < rate) return now_ns_;
    }
  }

  const Gaps gaps_;
  const double mean_ns_;
  const double period_ns_;
  Random& random_;
  double now_ns_ = 0;
  double phase_ends_ns_ = 0;
  bool on_ = false;
};

int64_t MixedRows(double uniform) {
  if (uniform < 0.7) return 1;
  return uniform < 0.9 ? 4 : 16;
}

}  // namespace

std::vector<Arrival> MakeArrivals(const ArrivalPattern& pattern, double rows_per_ns, int64_t period_ns, int64_t rows, uint64_t seed) {
  Random random(seed);
  Clock clock(pattern.gaps, (pattern.mixed ? kMeanMixedRows : 1) / rows_per_ns, period_ns, &random);
  std::vector<Arrival> arrivals;
  for (int64_t made = 0; made < rows;) {
    const auto at_ns = std::max<int64_t>(1, static_cast<int64_t>(clock.Next()));
    arrivals.push_back({at_ns, pattern.mixed ? MixedRows(random.Uniform()) : 1});
    made += arrivals.back().rows;
  }
  return arrivals;
}

}  // namespace penstock::simulation
