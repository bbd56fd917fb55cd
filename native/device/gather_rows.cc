#include "device/gather_rows.h"

#include <algorithm>
#include <cstring>
#include <string>

#include "base/checked_math.h"

namespace penstock::device {

Status CheckPlaces(const RowPlaces& places, uint64_t rows) {
  const size_t size = places.element_size;
  if (size != 1 && size != 2 && size != 4 && size != 8) {
    return Status(StatusCode::kInternal, "rows of elements of " + std::to_string(size) + " bytes cannot be gathered");
  }
  // A kernel may make four bytes of each element.
  uint64_t bytes = 0;
  if (!CheckedMul(places.elements, std::max<uint64_t>(size, sizeof(float)), &bytes) || !CheckedMul(bytes, rows, &bytes) ||
      bytes > PTRDIFF_MAX) {
    return Status(StatusCode::kMemory, "the rows of a batch are larger than any memory");
  }
  return Status::Ok();
}

void GatherRows(const std::vector<GatherRow>& rows, const RowPlaces& places, uint8_t* to) {
  const size_t size = places.element_size;
  const size_t place = places.elements * size;  // checked by CheckPlaces
  for (const GatherRow& row : rows) {
    const size_t bytes = std::min(row.elements, places.elements) * size;
    if (bytes != 0) std::memcpy(to, reinterpret_cast<const void*>(row.source), bytes);
    // Little-endian, as all tensors are: the low bytes of the filling are one element.
    for (size_t at = bytes; at < place; at += size) std::memcpy(to + at, &places.fill, size);
    to += place;
  }
}

}  // namespace penstock::device
