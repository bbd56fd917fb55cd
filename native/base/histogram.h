// Counts of durations with a bounded relative error, whatever their size: 256 buckets for each power of two, as HdrHistogram lays them out.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace penstock {

class Histogram {
 public:
  // Of a value read back: a bucket is 1/256 of its values wide and answers with its middle.
  static constexpr double kLargestRelativeError = 1.0 / 512;

  Histogram();

  void Record(int64_t ns);  // below 0 counts as 0
  void Merge(const Histogram& other);

  uint64_t count() const { return count_; }
  int64_t max_ns() const { return max_ns_; }  // exact; 0 of none
  double mean_ns() const;                     // exact; 0 of none
  // The value of this rank, 1 = the smallest, count() = the largest; kNever beyond that: of what was never answered.
  int64_t AtRank(uint64_t rank) const;
  // The smallest value that at least this share (0..1] of `total` values do not pass; those that are not in here count as endless.
  int64_t Quantile(double share, uint64_t total) const;

 private:
  std::vector<uint64_t> buckets_;
  uint64_t count_ = 0;
  int64_t min_ns_ = INT64_MAX;
  int64_t max_ns_ = 0;
  double sum_ns_ = 0;
};

// The rank of a quantile among `total` > 0 values: 1..total.
uint64_t RankOf(double share, uint64_t total);

}  // namespace penstock
