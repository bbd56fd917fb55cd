// Bounds every codec holds before it takes memory. Sources: design.md 2.10 for nesting and size; the rest keep hostile requests cheap.
#pragma once

#include <cstddef>
#include <cstdint>

namespace penstock::codec {

struct CodecLimits {
  uint64_t max_tensor_bytes = 64ull << 20;  // of all tensors of one request that are decoded into memory of ours; --max-request-bytes
  int max_depth = 100;                      // nesting of arrays and objects (JSON) or messages (protobuf)
  size_t max_tensors = 1024;                // inputs, and requested outputs
  size_t max_parameters = 1024;             // of one parameters object
  size_t max_dims = 32;
  size_t max_name_bytes = 1024;             // tensor and parameter names; ids
};

}  // namespace penstock::codec
