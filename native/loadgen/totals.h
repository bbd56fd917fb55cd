// What came of the requests of a run.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

#include "base/histogram.h"

namespace penstock::loadgen {

// All but the first are misses.
enum class Outcome : uint8_t {
  kAnswered,    // status 200 (of gRPC 0, OK), and the body that was expected
  kWrong,       // that status and another body
  kShed,        // 503 or 429 (UNAVAILABLE or RESOURCE_EXHAUSTED)
  kFailed,      // any other status
  kBroken,      // the connection ended, could not be opened, or did not carry the protocol
  kUnanswered,  // not until the end of the run
};
inline constexpr size_t kOutcomes = 6;

// Parts of equal length that the time which counts is cut into. Misses come in clusters; how much, is seen from how they differ between
// parts that are longer than a cluster. 10 to 30 of them is the advice for batch means (B. Schmeiser, "Batch Size Effects in the Analysis
// of Simulation Output", Operations Research 30, 1982).
inline constexpr size_t kGoalBlocks = 24;

// Of the requests that were meant to leave in one part.
struct GoalBlock {
  uint64_t requests = 0;
  uint64_t over = 0;  // misses and late answers
};

struct Totals {
  std::array<uint64_t, kOutcomes> outcomes{};
  uint64_t warm_up = 0;    // requests that were left out of everything else
  uint64_t late_answers = 0; // of those answered: after the goal
  std::array<GoalBlock, kGoalBlocks> goal_blocks{};  // zeros without a goal
  uint64_t late = 0;       // sent more than kLateNs after their moment
  uint64_t starved = 0;    // had to wait because all connections were taken
  Histogram latency;       // of answers, from the intended moment
  Histogram from_send;     // of answers, from when they were sent
  Histogram schedule_delay;  // from the intended moment to the sending; empty in a closed loop
  int64_t last_end_ns = 0;

  uint64_t answered() const { return outcomes[0]; }
  uint64_t requests() const;
  uint64_t misses() const { return requests() - answered(); }
  void Merge(const Totals& other);
};

// A generator that is later than this measures itself (reference/performance.md 5, rule 2).
inline constexpr int64_t kLateNs = 1'000'000;
inline constexpr int64_t kMostDelayP99Ns = 1'000'000;
inline constexpr double kMostLateShare = 0.001;

// Why this is no measurement: the generator was late, or nothing was sent. Empty = it is one.
std::string Refusal(const Totals& totals);

}  // namespace penstock::loadgen
