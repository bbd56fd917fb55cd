// Rows that lie apart, written one behind the other: each into a place of as many elements as the others, what is missing filled.
//
// This is the version for the CPU; kernels.h has the one for GPUs, which reads rows in mapped page-locked memory over the bus, each byte
// once, and can convert them on the way to the bits that ConvertInput gives for the result of this one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/status.h"
#include "device/kernels/gather_row.h"

namespace penstock::device {

// The places that rows are written to.
struct RowPlaces {
  uint64_t elements = 0;    // of each place
  size_t element_size = 1;  // bytes: 1, 2, 4 or 8
  uint64_t fill = 0;        // one element, as rows have them, in the low bits
};

// kInternal for another element size, kMemory when `rows` such places are larger than any memory.
Status CheckPlaces(const RowPlaces& places, uint64_t rows);

// [any thread] `to` has room for as many places as there are rows, which pass CheckPlaces.
void GatherRows(const std::vector<GatherRow>& rows, const RowPlaces& places, uint8_t* to);

}  // namespace penstock::device
