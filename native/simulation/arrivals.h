// When requests come and how many rows they bring (reference/batching.md 1).
#pragma once

#include <cstdint>
#include <vector>

namespace penstock::simulation {

struct Arrival {
  int64_t at_ns;  // > 0, never falling
  int64_t rows;
};

enum class Gaps {
  kPoisson,
  kGamma2,  // coefficient of variation 2
  kGamma4,
  kOnOff,   // Poisson at double rate, then silence, in turns; exponential phases with a mean of 20 periods
  kSine,    // Poisson whose rate swings by 80 % in 200 periods
};

struct ArrivalPattern {
  const char* name;
  Gaps gaps;
  bool mixed;  // requests of 1, 4 and 16 rows with probabilities 0.7, 0.2, 0.1; else of one row
};

inline constexpr ArrivalPattern kOneRowPatterns[] = {
    {"poisson", Gaps::kPoisson, false}, {"g2", Gaps::kGamma2, false},   {"g4", Gaps::kGamma4, false},
    {"onoff", Gaps::kOnOff, false},     {"sine", Gaps::kSine, false},
};
inline constexpr ArrivalPattern kMixedPatterns[] = {{"mixP", Gaps::kPoisson, true}, {"mixg4", Gaps::kGamma4, true}};

// At least `rows` rows, on average rows_per_ns (> 0); a period is that of a full run.
std::vector<Arrival> MakeArrivals(const ArrivalPattern& pattern, double rows_per_ns, int64_t period_ns, int64_t rows, uint64_t seed);

}  // namespace penstock::simulation
