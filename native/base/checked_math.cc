#include "base/checked_math.h"

namespace penstock {

bool ElementCount(const std::vector<int64_t>& dims, uint64_t* count) {
  uint64_t product = 1;
  bool has_zero = false;
  for (const int64_t dim : dims) {
    if (dim < 0) return false;
    if (dim == 0) {
      has_zero = true;
      continue;
    }
    if (!CheckedMul(product, static_cast<uint64_t>(dim), &product)) return false;
    if (product > static_cast<uint64_t>(INT64_MAX)) return false;
  }
  *count = has_zero ? 0 : product;
  return true;
}

}  // namespace penstock
