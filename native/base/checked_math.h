// The one place where dimensions and byte sizes are multiplied and added. Every result is checked for overflow.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace penstock {

// Both return false, and leave *out alone, when the result does not fit.
[[nodiscard]] inline bool CheckedMul(uint64_t a, uint64_t b, uint64_t* out) {
  uint64_t result = 0;
  if (__builtin_mul_overflow(a, b, &result)) return false;
  *out = result;
  return true;
}

[[nodiscard]] inline bool CheckedAdd(uint64_t a, uint64_t b, uint64_t* out) {
  uint64_t result = 0;
  if (__builtin_add_overflow(a, b, &result)) return false;
  *out = result;
  return true;
}

// Product of `dims`; 1 for a scalar (no dims). False for a negative dim, or when the product of the dims that are not zero passes
// INT64_MAX: a zero dim does not excuse absurd neighbours.
[[nodiscard]] bool ElementCount(const std::vector<int64_t>& dims, uint64_t* count);

}  // namespace penstock
