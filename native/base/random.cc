#include "base/random.h"

#include <cmath>

namespace penstock {

// 52 bits: with one more, the half would not fit and the largest would be rounded up to 1.
double UniformOf(uint64_t bits) { return (static_cast<double>(bits >> 12) + 0.5) * 0x1p-52; }

double Random::Uniform() { return UniformOf(engine_()); }

int64_t Random::Between(int64_t least, int64_t most) {
  return least + static_cast<int64_t>(Uniform() * static_cast<double>(most - least + 1));
}

double Random::Exponential(double mean) { return -mean * std::log(Uniform()); }

double Random::Normal() {
  constexpr double kTwoPi = 6.283185307179586;
  const double radius = std::sqrt(-2 * std::log(Uniform()));
  return radius * std::cos(kTwoPi * Uniform());
}

double Random::Gamma(double shape, double mean) {
  // Marsaglia and Tsang, "A simple method for generating gamma variables" (2000): for shapes of at least 1, smaller ones by a power.
  const double raised = shape < 1 ? shape + 1 : shape;
  const double d = raised - 1.0 / 3;
  const double c = 1 / std::sqrt(9 * d);
  double value = 0;
  for (;;) {
    const double x = Normal();
    const double v = std::pow(1 + c * x, 3);
    if (v > 0 && std::log(Uniform()) < 0.5 * x * x + d - d * v + d * std::log(v)) {
      value = d * v;
      break;
    }
  }
  if (shape < 1) value *= std::pow(Uniform(), 1 / shape);
  return value * mean / shape;
}

}  // namespace penstock
