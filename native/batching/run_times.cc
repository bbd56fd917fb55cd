#include "batching/run_times.h"

#include <algorithm>

namespace penstock::batching {
namespace {

// reference/batching.md 6.5
constexpr double kLeastWeight = 0.1;
constexpr double kQuantile = 0.9;
constexpr double kLeastMargin = 0.01;
constexpr double kMostMargin = 0.5;
constexpr double kLeastStep = 0.01;
constexpr double kStepShare = 0.1;

constexpr double kMostSurprise = 2;    // a sample counts for at most this many times what was expected
constexpr int64_t kEarlySamples = 3;   // as many as a warm-up runs; the first of them may have allocated, planned and compiled
constexpr int64_t kExactRows = 64;
constexpr double kNear = 0.75;         // sizes this close to each other tell about each other
constexpr double kLongestNs = 4e18;    // keeps every estimate within int64_t

int64_t SizeOf(int64_t rows) {
  if (rows <= kExactRows) return rows;
  const int shift = 64 - __builtin_clzll(static_cast<uint64_t>(rows)) - 4;
  return (rows >> shift) << shift;
}

bool Near(double a, double b) { return std::min(a, b) >= kNear * std::max(a, b); }

bool IsFresh(int64_t last_run, int64_t run) { return run - last_run <= RunTimes::kFreshRuns; }

int64_t Nanoseconds(double ns) { return static_cast<int64_t>(std::min(ns, kLongestNs)); }

}  // namespace

void RunTimes::Learn(int64_t rows, int64_t ns, int64_t run) {
  rows = std::max<int64_t>(rows, 1);
  const double expected = EstimateNs(static_cast<double>(rows));
  double sample = static_cast<double>(std::max<int64_t>(ns, 1));
  if (expected > 0) sample = std::min(sample, kMostSurprise * expected);

  Cell& cell = CellFor(rows);
  if (!IsFresh(cell.last_run, run)) cell.samples = 0;
  if (cell.samples >= kEarlySamples) {
    TrackMargin(sample / expected - 1);
  } else if (sample < cell.ns / 2) {
    cell.samples = 0;  // no run is faster than it can be: what came before was a cold start
  }
  ++cell.samples;
  const double weight = std::max(kLeastWeight, 1.0 / static_cast<double>(cell.samples));
  cell.ns += weight * (sample - cell.ns);
  cell.rows += weight * (static_cast<double>(rows) - cell.rows);
  cell.last_run = run;
  ForgetNear(cell);
  Fit(run);
}

int64_t RunTimes::Estimate(int64_t rows) const { return Nanoseconds(EstimateNs(static_cast<double>(rows))); }

int64_t RunTimes::Safe(int64_t rows) const { return Nanoseconds(EstimateNs(static_cast<double>(rows)) * (1 + margin_)); }

bool RunTimes::Fresh(int64_t rows, int64_t run) const {
  return std::any_of(cells_.begin(), cells_.end(), [&](const Cell& cell) {
    return cell.rows >= kNear * static_cast<double>(rows) && IsFresh(cell.last_run, run);
  });
}

double RunTimes::FixedShare(int64_t max_rows) const {
  const double full = static_cast<double>(max_rows);
  if (cells_.empty() || full <= cells_.front().rows) return 0;
  const Cell& first = cells_.front();
  const double row_ns = (EstimateNs(full) - first.fitted_ns) / (full - first.rows);
  const double fixed_ns = std::max(0.0, first.fitted_ns - first.rows * row_ns);
  return fixed_ns / (fixed_ns + row_ns);
}

RunTimes::Cell& RunTimes::CellFor(int64_t rows) {
  const int64_t size = SizeOf(rows);
  auto at = std::lower_bound(cells_.begin(), cells_.end(), size, [](const Cell& cell, int64_t wanted) { return cell.size < wanted; });
  if (at == cells_.end() || at->size != size) {
    at = cells_.insert(at, Cell());
    at->size = size;
  }
  return *at;
}

void RunTimes::TrackMargin(double ratio) {
  const double step = std::max(kLeastStep, kStepShare * std::abs(ratio - margin_));
  margin_ += ratio > margin_ ? kQuantile * step : (kQuantile - 1) * step;
  margin_ = std::clamp(margin_, kLeastMargin, kMostMargin);
}

void RunTimes::ForgetNear(const Cell& fresh) {
  const double rows = fresh.rows;
  const int64_t run = fresh.last_run;
  const auto outdated = [rows, run](const Cell& cell) { return !IsFresh(cell.last_run, run) && Near(cell.rows, rows); };
  cells_.erase(std::remove_if(cells_.begin(), cells_.end(), outdated), cells_.end());
}

void RunTimes::Fit(int64_t run) {
  // Pool adjacent violators. A block is a stretch of cells with one common value; the freshest sample weighs most.
  struct Block {
    size_t end;
    double weight;
    double ns;
  };
  std::vector<Block> blocks;
  blocks.reserve(cells_.size());
  for (size_t i = 0; i < cells_.size(); ++i) {
    const double samples = std::min(static_cast<double>(cells_[i].samples), 1 / kLeastWeight);
    Block block{i + 1, samples / static_cast<double>(1 + run - cells_[i].last_run), cells_[i].ns};
    while (!blocks.empty() && blocks.back().ns > block.ns) {
      const double weight = blocks.back().weight + block.weight;
      block.ns = (blocks.back().ns * blocks.back().weight + block.ns * block.weight) / weight;
      block.weight = weight;
      blocks.pop_back();
    }
    blocks.push_back(block);
  }
  size_t i = 0;
  for (const Block& block : blocks) {
    for (; i < block.end; ++i) cells_[i].fitted_ns = block.ns;
  }
}

double RunTimes::EstimateNs(double rows) const {
  if (cells_.empty()) return 0;
  const Cell& first = cells_.front();
  const Cell& last = cells_.back();
  if (rows <= first.rows) return first.fitted_ns;
  if (rows >= last.rows) {
    // The slope of two neighbours may be all noise: that of the whole table is not. A single size has none.
    const double proportional = last.fitted_ns * (rows / last.rows);
    if (cells_.size() == 1) return proportional;
    const double slope = (last.fitted_ns - first.fitted_ns) / (last.rows - first.rows);
    return std::min(proportional, last.fitted_ns + slope * (rows - last.rows));
  }
  const auto above = std::upper_bound(cells_.begin(), cells_.end(), rows, [](double wanted, const Cell& cell) { return wanted < cell.rows; });
  const auto below = above - 1;
  const double share = (rows - below->rows) / (above->rows - below->rows);
  return below->fitted_ns + share * (above->fitted_ns - below->fitted_ns);
}

}  // namespace penstock::batching
