// How long a batch of so many rows takes, learned while serving. Pure, not thread-safe.
//
// A cell for each size that has run, a size being the number of rows up to 64 and an eighth of an octave above (so a limit of a million rows
// costs some two hundred cells at most, not a million); a cell keeps the mean of the rows that fell into it. Four things keep the estimates
// from locking a server that refuses by them (reference/batching.md 5):
// - pooling (isotonic regression), not a running maximum, makes them rise with the rows: one noisy size does not lift all larger ones;
// - no sample counts for more than twice what was expected, so one run of 50 times its time costs a tenth, not everything;
// - what was not seen lately is worth little: it gives way to fresh neighbours in pooling, is forgotten when a size near it runs, and the
//   next run of its own size replaces it. Without this, estimates three times too high would be corrected by a tenth at each rare run;
// - Fresh() tells the batcher which estimates to check by a run before it refuses anybody by them.
#pragma once

#include <cstdint>
#include <vector>

namespace penstock::batching {

class RunTimes {
 public:
  // A size is fresh while it is among this many last runs of the batcher.
  static constexpr int64_t kFreshRuns = 64;

  // Of a run as it happened: moves the size's cell (EWMA) and the margin (a 0.9 quantile of actual / predicted - 1). `run` numbers the runs
  // of the batcher, all its tables together, and never falls.
  void Learn(int64_t rows, int64_t ns, int64_t run);

  bool empty() const { return cells_.empty(); }  // nothing has been learned
  // Nanoseconds. Never falling with the rows; beyond the largest known size never above proportional to it. 0 while empty.
  int64_t Estimate(int64_t rows) const;
  // With the margin: what plans count with.
  int64_t Safe(int64_t rows) const;
  double margin() const { return margin_; }
  // Whether a size of at least three quarters of `rows` was among the last runs: the estimate cannot be far above the truth then.
  bool Fresh(int64_t rows, int64_t run) const;
  // Share of a run of one row that does not depend on rows, 0..1, by the line through the smallest known size and `max_rows`. Two large
  // sizes would do as well only without noise: 5 % of theirs is more than all of a small one where rows cost most.
  double FixedShare(int64_t max_rows) const;

 private:
  struct Cell {
    int64_t size = 0;      // smallest number of rows that belongs here
    double rows = 0;       // mean of those that ran
    double ns = 0;         // mean of their times
    double fitted_ns = 0;  // ns after pooling
    int64_t samples = 0;
    int64_t last_run = 0;
  };
  Cell& CellFor(int64_t rows);
  void TrackMargin(double ratio);
  void ForgetNear(const Cell& fresh);
  void Fit(int64_t run);
  double EstimateNs(double rows) const;

  std::vector<Cell> cells_;  // rising sizes
  double margin_ = 0.01;
};

}  // namespace penstock::batching
