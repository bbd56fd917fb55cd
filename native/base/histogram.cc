#include "base/histogram.h"

#include <algorithm>
#include <cmath>

namespace penstock {
namespace {

constexpr int kSubBits = 8;
constexpr int kValueBits = 63;
// Values below 2^(kSubBits + 1) have a bucket each; every further power of two has 2^kSubBits of them.
constexpr size_t kBuckets = static_cast<size_t>(kValueBits - kSubBits + 1) << kSubBits;

int ShiftOf(uint64_t value) { return std::max(0, 63 - __builtin_clzll(value | 1) - kSubBits); }

size_t BucketOf(uint64_t value) {
  const int shift = ShiftOf(value);
  return (static_cast<size_t>(shift) << kSubBits) + static_cast<size_t>(value >> shift);
}

int64_t MiddleOf(size_t bucket) {
  const size_t shift = bucket < (size_t{2} << kSubBits) ? 0 : (bucket >> kSubBits) - 1;
  const uint64_t first = static_cast<uint64_t>(bucket - (shift << kSubBits)) << shift;
  return static_cast<int64_t>(first + (uint64_t{1} << shift) / 2);
}

}  // namespace

Histogram::Histogram() : buckets_(kBuckets) {}

void Histogram::Record(int64_t ns) {
  const int64_t value = std::max<int64_t>(0, ns);
  ++buckets_[BucketOf(static_cast<uint64_t>(value))];
  ++count_;
  min_ns_ = std::min(min_ns_, value);
  max_ns_ = std::max(max_ns_, value);
  sum_ns_ += static_cast<double>(value);
}

void Histogram::Merge(const Histogram& other) {
  for (size_t i = 0; i < kBuckets; ++i) buckets_[i] += other.buckets_[i];
  count_ += other.count_;
  min_ns_ = std::min(min_ns_, other.min_ns_);
  max_ns_ = std::max(max_ns_, other.max_ns_);
  sum_ns_ += other.sum_ns_;
}

double Histogram::mean_ns() const { return count_ == 0 ? 0 : sum_ns_ / static_cast<double>(count_); }

int64_t Histogram::AtRank(uint64_t rank) const {
  if (rank > count_) return INT64_MAX;
  uint64_t passed = 0;
  for (size_t i = 0; i < kBuckets; ++i) {
    passed += buckets_[i];
    if (passed >= rank) return std::clamp(MiddleOf(i), min_ns_, max_ns_);
  }
  return max_ns_;
}

int64_t Histogram::Quantile(double share, uint64_t total) const { return total == 0 ? 0 : AtRank(RankOf(share, total)); }

uint64_t RankOf(double share, uint64_t total) {
  const auto rank = static_cast<uint64_t>(std::ceil(share * static_cast<double>(total)));
  return std::clamp<uint64_t>(rank, 1, total);
}

}  // namespace penstock
