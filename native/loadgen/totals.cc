#include "loadgen/totals.h"

#include <algorithm>
#include <cstdio>
#include <numeric>

namespace penstock::loadgen {

uint64_t Totals::requests() const { return std::accumulate(outcomes.begin(), outcomes.end(), uint64_t{0}); }

void Totals::Merge(const Totals& other) {
  for (size_t i = 0; i < kOutcomes; ++i) outcomes[i] += other.outcomes[i];
  warm_up += other.warm_up;
  late_answers += other.late_answers;
  for (size_t i = 0; i < kGoalBlocks; ++i) {
    goal_blocks[i].requests += other.goal_blocks[i].requests;
    goal_blocks[i].over += other.goal_blocks[i].over;
  }
  late += other.late;
  starved += other.starved;
  latency.Merge(other.latency);
  from_send.Merge(other.from_send);
  schedule_delay.Merge(other.schedule_delay);
  last_end_ns = std::max(last_end_ns, other.last_end_ns);
}

std::string Refusal(const Totals& totals) {
  const uint64_t requests = totals.requests();
  if (requests == 0) return "no request was sent after the warm-up";
  const int64_t p99_ns = totals.schedule_delay.Quantile(0.99, totals.schedule_delay.count());
  const double late_share = static_cast<double>(totals.late) / static_cast<double>(requests);
  if (p99_ns <= kMostDelayP99Ns && late_share <= kMostLateShare) return "";
  char text[400];
  std::snprintf(text, sizeof text,
                "the generator was late itself: its delay is %.3f ms at p99 (at most %.3g), and %.3f %% of the requests left more than "
                "%.3g ms late (at most %.3g %%); %s",
                static_cast<double>(p99_ns) / 1e6, static_cast<double>(kMostDelayP99Ns) / 1e6, late_share * 100,
                static_cast<double>(kLateNs) / 1e6, kMostLateShare * 100,
                totals.starved > 0 ? "all connections were taken: allow more of them, or ask for a lower rate"
                                   : "give it more threads or cores of its own, or ask for a lower rate");
  return text;
}

}  // namespace penstock::loadgen
