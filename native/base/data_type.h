// Tensor data types of the V2 protocol. Numbers are those of Triton's DataType enum (TYPE_BOOL = 1 ...) and of src/bridge/data-type.ts.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace penstock {

enum class DataType : uint8_t {
  kInvalid = 0,
  kBool = 1,
  kUint8 = 2,
  kUint16 = 3,
  kUint32 = 4,
  kUint64 = 5,
  kInt8 = 6,
  kInt16 = 7,
  kInt32 = 8,
  kInt64 = 9,
  kFp16 = 10,
  kFp32 = 11,
  kFp64 = 12,
  kBytes = 13,
  kBf16 = 14,
};

constexpr uint8_t kDataTypeCount = 15;

// Protocol name ("FP32", "BYTES"); "INVALID" for kInvalid.
std::string_view DataTypeName(DataType type);

// kInvalid for a name that is not one of the protocol's (case matters).
DataType DataTypeFromName(std::string_view name);

// Bytes of one element; 0 for BYTES (variable) and kInvalid.
size_t DataTypeSize(DataType type);

}  // namespace penstock
