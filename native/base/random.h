// Seeded random numbers that are the same with every standard library: <random> fixes the engines, not the distributions.
#pragma once

#include <cstdint>
#include <random>

namespace penstock {

// In (0, 1), neither end included, for any 64 bits.
double UniformOf(uint64_t bits);

class Random {
 public:
  explicit Random(uint64_t seed) : engine_(seed) {}

  double Uniform();                 // in (0, 1)
  int64_t Between(int64_t least, int64_t most);  // both included; least <= most
  bool Chance(double probability) { return Uniform() < probability; }
  double Exponential(double mean);
  double Normal();                  // mean 0, standard deviation 1
  double Gamma(double shape, double mean);  // shape > 0; its coefficient of variation is 1 / sqrt(shape)

 private:
  std::mt19937_64 engine_;
};

}  // namespace penstock
