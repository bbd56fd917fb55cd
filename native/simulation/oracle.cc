#include "simulation/oracle.h"

#include <algorithm>

#include "base/clock.h"

namespace penstock::simulation {
namespace {

struct State {
  size_t served;    // rows
  int64_t free_ns;  // when the lane is, at the earliest
};

// What can have become of the rows before a certain one.
class Layer {
 public:
  explicit Layer(size_t rows) : free_ns_(rows + 1, kNever) {}

  // Adds what comes of the first `count` of `states` (rising) by `rows` more rows, which are there at `from_ns` and run for `run_ns`.
  void AddRuns(const std::vector<State>& states, size_t count, size_t rows, int64_t from_ns, int64_t run_ns) {
    if (count == 0) return;
    for (size_t i = 0; i < count; ++i) {
      int64_t& free_ns = free_ns_[states[i].served + rows];
      free_ns = std::min(free_ns, std::max(states[i].free_ns, from_ns) + run_ns);
    }
    least_ = std::min(least_, states[0].served + rows);
    most_ = std::max(most_, states[count - 1].served + rows);
  }

  // Gives the states that no other beats, which rise in both; empties the layer. Another beats one with as many rows served and the lane
  // free as early, or by `next_ns`, when the next row comes.
  void TakeBest(int64_t next_ns, std::vector<State>* best) {
    best->clear();
    int64_t earliest_ns = kNever;
    for (size_t served = most_ + 1; served-- > least_;) {
      const int64_t free_ns = free_ns_[served];
      free_ns_[served] = kNever;
      if (free_ns >= earliest_ns || earliest_ns <= next_ns) continue;
      earliest_ns = free_ns;
      best->push_back({served, free_ns});
    }
    std::reverse(best->begin(), best->end());
    least_ = SIZE_MAX;
    most_ = 0;
  }

 private:
  std::vector<int64_t> free_ns_;  // by rows served
  size_t least_ = SIZE_MAX;       // only counts from here
  size_t most_ = 0;               // to here are possible
};

}  // namespace

int64_t MostRowsOnTime(const std::vector<Arrival>& arrivals, const RunCurve& curve, int64_t max_rows, int64_t allowed_ns) {
  const size_t count = arrivals.size();
  const auto largest = static_cast<size_t>(max_rows);
  std::vector<Layer> layers(largest + 1, Layer(count));  // a ring: of the rows before i, i + 1 .. i + largest
  std::vector<State> states{{0, 0}};
  for (size_t i = 0; i < count; ++i) {
    if (i != 0) layers[i % layers.size()].TakeBest(arrivals[i].at_ns, &states);
    layers[(i + 1) % layers.size()].AddRuns(states, states.size(), 0, 0, 0);  // row i is not served
    size_t feasible = states.size();
    for (size_t rows = 1; rows <= std::min(largest, count - i); ++rows) {
      const int64_t run_ns = curve.Ns(static_cast<int64_t>(rows));
      const int64_t start_by_ns = arrivals[i].at_ns + allowed_ns - run_ns;
      const int64_t from_ns = arrivals[i + rows - 1].at_ns;
      while (feasible != 0 && states[feasible - 1].free_ns > start_by_ns) --feasible;  // longer batches start no later
      if (feasible == 0 || from_ns > start_by_ns) break;
      layers[(i + rows) % layers.size()].AddRuns(states, feasible, rows, from_ns, run_ns);
    }
  }
  layers[count % layers.size()].TakeBest(0, &states);
  return static_cast<int64_t>(states.back().served);
}

int64_t RowsOnTimeBound(const std::vector<Arrival>& arrivals, const RunCurve& curve, int64_t max_rows, int lanes, int64_t allowed_ns) {
  int64_t best = 1;
  for (int64_t rows = 2; rows <= max_rows; ++rows) {
    if (curve.Ns(rows) * best < curve.Ns(best) * rows) best = rows;
  }
  // In units of 1 / scale nanoseconds a row's share is a whole number.
  const int64_t scale = best * lanes;
  const int64_t row_time = curve.Ns(best);
  int64_t free = 0;
  int64_t on_time = 0;
  for (const Arrival& arrival : arrivals) {
    for (int64_t row = 0; row < arrival.rows; ++row) {
      const int64_t end = std::max(free, arrival.at_ns * scale) + row_time;
      if (end > (arrival.at_ns + allowed_ns) * scale) break;
      free = end;
      ++on_time;
    }
  }
  return on_time;
}

}  // namespace penstock::simulation
