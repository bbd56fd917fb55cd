#include "codec/grpc_contents.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "base/checked_math.h"
#include "base/data_type.h"
#include "codec/bytes_framing.h"
#include "codec/request_fields.h"
#include "memory/block.h"

namespace penstock::codec {
namespace {

constexpr uint32_t kInputContents = 5;  // of InferInputTensor

struct ContentsField {
  std::string_view name;
  WireType element;
};

constexpr uint32_t kFieldCount = 8;
constexpr std::array<ContentsField, kFieldCount + 1> kFields = {{
    {"", WireType::kVarint},
    {"bool_contents", WireType::kVarint},
    {"int_contents", WireType::kVarint},
    {"int64_contents", WireType::kVarint},
    {"uint_contents", WireType::kVarint},
    {"uint64_contents", WireType::kVarint},
    {"fp32_contents", WireType::kFixed32},
    {"fp64_contents", WireType::kFixed64},
    {"bytes_contents", WireType::kLengthDelimited},
}};

// 0 for types that have no contents field.
uint32_t FieldOf(DataType dtype) {
  switch (dtype) {
    case DataType::kBool:
      return 1;
    case DataType::kInt8:
    case DataType::kInt16:
    case DataType::kInt32:
      return 2;
    case DataType::kInt64:
      return 3;
    case DataType::kUint8:
    case DataType::kUint16:
    case DataType::kUint32:
      return 4;
    case DataType::kUint64:
      return 5;
    case DataType::kFp32:
      return 6;
    case DataType::kFp64:
      return 7;
    case DataType::kBytes:
      return 8;
    default:
      return 0;
  }
}

uint64_t CountVarints(std::string_view bytes) {
  return static_cast<uint64_t>(std::count_if(bytes.begin(), bytes.end(), [](char byte) { return (byte & 0x80) == 0; }));
}

// Calls visit(contents, number, bytes) for every run of elements in every contents message of the input; of bytes_contents, a run is one
// element. Several contents messages of one input are one, as protobuf merges them.
template <typename Visit>
Status ForEachRun(ProtobufReader input, Visit visit) {
  while (!input.AtEnd()) {
    PENSTOCK_RETURN_IF_ERROR(input.Next());
    if (input.number() != kInputContents) {
      PENSTOCK_RETURN_IF_ERROR(input.Skip());
      continue;
    }
    Result<ProtobufReader> entered = input.Message("contents", input.PathOf("contents"));
    if (!entered.ok()) return entered.status();
    ProtobufReader& contents = entered.value();
    while (!contents.AtEnd()) {
      PENSTOCK_RETURN_IF_ERROR(contents.Next());
      const uint32_t number = contents.number();
      if (number > kFieldCount) {
        PENSTOCK_RETURN_IF_ERROR(contents.Skip());
        continue;
      }
      const ContentsField& field = kFields[number];
      std::string_view bytes;
      if (field.element == WireType::kLengthDelimited) {
        PENSTOCK_RETURN_IF_ERROR(contents.Bytes(field.name, &bytes));
      } else {
        PENSTOCK_RETURN_IF_ERROR(contents.Elements(field.name, field.element, &bytes));
        if (bytes.empty()) continue;  // a packed run of nothing
      }
      PENSTOCK_RETURN_IF_ERROR(visit(contents, number, bytes));
    }
  }
  return Status::Ok();
}

struct Measured {
  uint64_t elements = 0;
  uint64_t bytes = 0;  // in V2 raw format; for BYTES only
};

Result<Measured> Measure(const ProtobufReader& input, DataType dtype) {
  const uint32_t wanted = FieldOf(dtype);
  Measured measured;
  const Status status = ForEachRun(input, [&](const ProtobufReader& contents, uint32_t number, std::string_view bytes) {
    if (number != wanted) {
      return FieldError(StatusCode::kTensorDtype, contents.PathOf(kFields[number].name), "elements",
                        wanted == 0 ? std::string(DataTypeName(dtype)) + " data in raw_input_contents, the only form it has"
                                    : std::string(kFields[wanted].name) + ", the field of datatype " + std::string(DataTypeName(dtype)));
    }
    switch (kFields[number].element) {
      case WireType::kVarint:
        measured.elements += CountVarints(bytes);
        break;
      case WireType::kLengthDelimited:
        measured.elements += 1;
        measured.bytes += kBytesPrefix + bytes.size();  // at most three times the message: cannot overflow
        break;
      default:
        measured.elements += bytes.size() / DataTypeSize(dtype);
    }
    return Status::Ok();
  });
  if (!status.ok()) return status;
  return measured;
}

template <typename T>
bool Narrow(uint64_t varint, T* value) {
  if constexpr (std::is_same_v<T, bool>) {
    *value = varint != 0;
    return true;
  } else if constexpr (std::is_signed_v<T>) {
    const auto wide = static_cast<int64_t>(varint);
    *value = static_cast<T>(wide);
    return *value == wide;
  } else {
    *value = static_cast<T>(varint);
    return *value == varint;
  }
}

template <typename T>
std::string RangeOf(DataType dtype) {
  return std::string(DataTypeName(dtype)) + ", " + std::to_string(std::numeric_limits<T>::min()) + " to " +
         std::to_string(std::numeric_limits<T>::max());
}

// Where the next element goes. Measure and Fill see the same bytes, so the block has room for what is written.
struct Target {
  DataType dtype;
  const uint8_t* begin;
  uint8_t* at;
};

template <typename T>
Status StoreVarints(const ProtobufReader& contents, std::string_view field, std::string_view bytes, Target* target) {
  const auto* cursor = reinterpret_cast<const uint8_t*>(bytes.data());
  const uint8_t* const end = cursor + bytes.size();
  while (cursor < end) {
    uint64_t varint = 0;
    if (!TakeVarint(&cursor, end, &varint)) return contents.VarintError(contents.PathOf(field), cursor, end);
    T value{};
    if (!Narrow(varint, &value)) {
      const auto index = static_cast<size_t>(target->at - target->begin) / sizeof(T);
      return FieldError(StatusCode::kTensorData, contents.PathOf(field) + "[" + std::to_string(index) + "]",
                        std::is_signed_v<T> ? std::to_string(static_cast<int64_t>(varint)) : std::to_string(varint),
                        RangeOf<T>(target->dtype));
    }
    std::memcpy(target->at, &value, sizeof(value));
    target->at += sizeof(value);
  }
  return Status::Ok();
}

Status Store(const ProtobufReader& contents, std::string_view field, std::string_view bytes, Target* target) {
  switch (target->dtype) {
    case DataType::kBool:
      return StoreVarints<bool>(contents, field, bytes, target);
    case DataType::kInt8:
      return StoreVarints<int8_t>(contents, field, bytes, target);
    case DataType::kInt16:
      return StoreVarints<int16_t>(contents, field, bytes, target);
    case DataType::kInt32:
      return StoreVarints<int32_t>(contents, field, bytes, target);
    case DataType::kInt64:
      return StoreVarints<int64_t>(contents, field, bytes, target);
    case DataType::kUint8:
      return StoreVarints<uint8_t>(contents, field, bytes, target);
    case DataType::kUint16:
      return StoreVarints<uint16_t>(contents, field, bytes, target);
    case DataType::kUint32:
      return StoreVarints<uint32_t>(contents, field, bytes, target);
    case DataType::kUint64:
      return StoreVarints<uint64_t>(contents, field, bytes, target);
    case DataType::kBytes:
      target->at = StoreBytesElement(target->at, bytes);
      return Status::Ok();
    default:
      std::memcpy(target->at, bytes.data(), bytes.size());
      target->at += bytes.size();
      return Status::Ok();
  }
}

}  // namespace

Status DecodeContents(const ProtobufReader& input, uint64_t elements, const CodecLimits& limits, serving::RequestTensor* tensor) {
  const DataType dtype = tensor->dtype;
  Result<Measured> measured = Measure(input, dtype);
  if (!measured.ok()) return measured.status();
  uint64_t bytes = measured.value().bytes;
  if (dtype != DataType::kBytes) {
    Result<uint64_t> fixed = CheckTensorBytes(dtype, elements, input.path(), limits);
    if (!fixed.ok()) return fixed.status();
    bytes = fixed.value();
  } else if (bytes > limits.max_tensor_bytes) {
    return FieldError(StatusCode::kRequestTooLarge, input.path(), std::to_string(bytes) + " bytes",
                      "at most " + std::to_string(limits.max_tensor_bytes) + " bytes");
  }
  if (measured.value().elements != elements) {
    const uint32_t field = FieldOf(dtype);
    if (field == 0) {
      return FieldError(StatusCode::kTensorData, input.path(), "no data",
                        std::string(DataTypeName(dtype)) + " data in raw_input_contents, the only form it has");
    }
    return FieldError(StatusCode::kTensorData, input.PathOf("contents") + '.' + std::string(kFields[field].name),
                      std::to_string(measured.value().elements) + " elements", std::to_string(elements) + " by the shape");
  }
  tensor->data_is_checked = true;
  if (bytes == 0) return Status::Ok();

  Result<std::shared_ptr<memory::Block>> block = memory::BlockPool::Process().Allocate(bytes);
  if (!block.ok()) return block.status();
  Target target{dtype, block.value()->data(), block.value()->data()};
  PENSTOCK_RETURN_IF_ERROR(ForEachRun(input, [&](const ProtobufReader& contents, uint32_t number, std::string_view run) {
    return Store(contents, kFields[number].name, run, &target);
  }));
  tensor->data.Append(memory::WholeSlice(std::move(block).value()));
  return Status::Ok();
}

Status RefuseContents(const ProtobufReader& input) {
  return ForEachRun(input, [](const ProtobufReader& contents, uint32_t number, std::string_view) {
    return FieldError(StatusCode::kRequestField, contents.PathOf(kFields[number].name), "elements",
                      "none, because the request has raw_input_contents");
  });
}

}  // namespace penstock::codec
