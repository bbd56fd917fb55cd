// Do the bytes of a tensor hold what its dtype promises? Walks chains of slices where they lie, without a copy.
#pragma once

#include <cstdint>
#include <string>

#include "base/status.h"
#include "memory/slice.h"

namespace penstock::serving {

// Walks the uint32-length framing of `elements` BYTES elements over a chain of slices. Errors: kTensorData naming `path`.
Status CheckBytesFraming(const memory::SliceChain& data, uint64_t elements, const std::string& path);

// Every byte of a BOOL tensor is 0 or 1. Errors: kTensorData naming `path` and the first wrong element.
Status CheckBools(const memory::SliceChain& data, const std::string& path);

}  // namespace penstock::serving
