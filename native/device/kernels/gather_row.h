// What a gather kernel is told of each place that it fills: the same for the kernel, for its CPU version, and for its stand-in in tests.
#pragma once

#include <cstdint>

namespace penstock::device {

// Where the row of one place lies.
struct GatherRow {
  uint64_t source = 0;    // address where it is read: of the device for a kernel, of the host for the CPU; aligned for its elements
  uint64_t elements = 0;  // at most those of a place; the rest is filled. 0: nothing is read
};

}  // namespace penstock::device
