// The `data` array of a JSON tensor into typed memory.
#pragma once

#include <cstdint>

#include "base/data_type.h"
#include "base/status.h"
#include "codec/field_path.h"
#include "codec/json_reader.h"
#include "codec/limits.h"
#include "memory/slice.h"

namespace penstock::codec {

// Reads the array that comes next: flat or nested in any way, depth first, exactly `elements` elements in all. `path` is the tensor's
// ("inputs[0]"). The result owns its memory; nothing is allocated before `elements` has been held against the limits and against what
// the text could contain. Errors: kRequestJson, kRequestDepth, kRequestField (not an array), kTensorData (element or count),
// kRequestTooLarge, kMemory.
Result<memory::SliceChain> ReadJsonTensor(JsonReader* reader, DataType dtype, uint64_t elements, const FieldPath& path,
                                          const CodecLimits& limits);

}  // namespace penstock::codec
