#include "session/ort_tensor.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <functional>
#include <limits>
#include <utility>

#include "base/checked_math.h"
#include "memory/block.h"
#include "session/ort_status.h"

namespace penstock::session {
namespace {

struct ElementTypeRow {
  const char* name;  // as the ONNX specification has it
  DataType type;     // kInvalid where the V2 protocol has no counterpart
};

// Indexed by ONNX element type number.
constexpr std::array<ElementTypeRow, 27> kElementTypes = {{
    {"undefined", DataType::kInvalid},
    {"float", DataType::kFp32},
    {"uint8", DataType::kUint8},
    {"int8", DataType::kInt8},
    {"uint16", DataType::kUint16},
    {"int16", DataType::kInt16},
    {"int32", DataType::kInt32},
    {"int64", DataType::kInt64},
    {"string", DataType::kBytes},
    {"bool", DataType::kBool},
    {"float16", DataType::kFp16},
    {"double", DataType::kFp64},
    {"uint32", DataType::kUint32},
    {"uint64", DataType::kUint64},
    {"complex64", DataType::kInvalid},
    {"complex128", DataType::kInvalid},
    {"bfloat16", DataType::kBf16},
    {"float8e4m3fn", DataType::kInvalid},
    {"float8e4m3fnuz", DataType::kInvalid},
    {"float8e5m2", DataType::kInvalid},
    {"float8e5m2fnuz", DataType::kInvalid},
    {"uint4", DataType::kInvalid},
    {"int4", DataType::kInvalid},
    {"float4e2m1", DataType::kInvalid},
    {"uint2", DataType::kInvalid},
    {"int2", DataType::kInvalid},
    {"float8e8m0", DataType::kInvalid},
}};
static_assert(kElementTypes[kOrtFloat].type == DataType::kFp32 && kElementTypes[kOrtBfloat16].type == DataType::kBf16);

const ElementTypeRow& RowOf(int element_type) {
  const bool known = element_type > 0 && static_cast<size_t>(element_type) < kElementTypes.size();
  return kElementTypes[known ? static_cast<size_t>(element_type) : 0];
}

// Stands in for the bytes of a tensor without elements, for which ONNX Runtime wants a valid address all the same.
alignas(memory::BlockPool::kAlignment) uint8_t no_bytes[memory::BlockPool::kAlignment];

Status CheckRun(const OrtRuntime& runtime, OrtStatus* status) {
  return TakeOrtStatus(runtime.functions, status, StatusCode::kModelRun, "cannot convert a tensor: ");
}

Status BadFraming() { return Status(StatusCode::kModelRun, "a BYTES input does not hold as many framed elements as its shape says"); }

// The length prefixes are checked again although the server has checked them: this is the last place before memory is written.
Result<OrtHandle<OrtValue>> CopyStrings(const OrtRuntime& runtime, const Tensor& tensor) {
  const OrtFunctions& ort = runtime.functions;
  uint64_t count = 0;
  if (!ElementCount(tensor.dims, &count) || count > tensor.bytes.size / sizeof(uint32_t)) return BadFraming();

  OrtValue* raw = nullptr;
  PENSTOCK_RETURN_IF_ERROR(
      CheckRun(runtime, ort.CreateTensorAsOrtValue(runtime.allocator, tensor.dims.data(), tensor.dims.size(), kOrtString, &raw)));
  OrtHandle<OrtValue> value(raw, ort.ReleaseValue);

  const uint8_t* next = tensor.bytes.data;
  size_t left = tensor.bytes.size;
  for (uint64_t i = 0; i < count; ++i) {
    uint32_t length = 0;
    if (left < sizeof length) return BadFraming();
    std::memcpy(&length, next, sizeof length);
    next += sizeof length;
    left -= sizeof length;
    if (left < length) return BadFraming();
    char* text = nullptr;
    PENSTOCK_RETURN_IF_ERROR(CheckRun(runtime, ort.GetResizedStringTensorElementBuffer(raw, i, length, &text)));
    std::memcpy(text, next, length);
    next += length;
    left -= length;
  }
  if (left != 0) return BadFraming();
  return value;
}

// ONNX Runtime gives the texts end to end with the offset of each. They are read to the end of the block and then moved forward, first
// to last, each behind its length: a text never moves past the place it came from, so one block is enough.
Result<memory::Slice> FrameStrings(const OrtRuntime& runtime, const OrtValue* value, uint64_t count) {
  const OrtFunctions& ort = runtime.functions;
  size_t text_bytes = 0;
  PENSTOCK_RETURN_IF_ERROR(CheckRun(runtime, ort.GetStringTensorDataLength(value, &text_bytes)));
  uint64_t prefix_bytes = 0;
  uint64_t total = 0;
  if (!CheckedMul(count, sizeof(uint32_t), &prefix_bytes) || !CheckedAdd(prefix_bytes, text_bytes, &total)) {
    return Status(StatusCode::kMemory, "the size of a BYTES output overflows");
  }
  Result<std::shared_ptr<memory::Block>> block = memory::BlockPool::Process().Allocate(total);
  if (!block.ok()) return block.status();
  uint8_t* const start = block.value()->data();
  uint8_t* const texts = start + prefix_bytes;
  std::vector<size_t> offsets(count + 1, text_bytes);
  PENSTOCK_RETURN_IF_ERROR(CheckRun(runtime, ort.GetStringTensorContent(value, texts, text_bytes, offsets.data(), count)));

  for (uint64_t i = 0; i < count; ++i) {
    const size_t size = offsets[i + 1] - offsets[i];
    if (size > std::numeric_limits<uint32_t>::max()) {
      return Status(StatusCode::kModelRun, "element " + std::to_string(i) + " of a BYTES output has " + std::to_string(size) +
                                               " bytes, expected at most 4294967295");
    }
    uint8_t* const place = start + i * sizeof(uint32_t) + offsets[i];
    const auto length = static_cast<uint32_t>(size);
    std::memcpy(place, &length, sizeof length);
    std::memmove(place + sizeof length, texts + offsets[i], size);
  }
  return memory::WholeSlice(std::move(block).value());
}

// A graph output that is a graph input, with no node between, comes back as the very bytes that the caller lent.
bool IsLent(const void* data, const std::vector<Tensor>& inputs) {
  const std::less<const void*> before;
  return std::any_of(inputs.begin(), inputs.end(), [&](const Tensor& input) {
    return !before(data, input.bytes.data) && before(data, input.bytes.data + input.bytes.size);
  });
}

Result<memory::Slice> CopyBytes(const void* data, size_t bytes) {
  Result<std::shared_ptr<memory::Block>> block = memory::BlockPool::Process().Allocate(bytes);
  if (!block.ok()) return block.status();
  std::memcpy(block.value()->data(), data, bytes);
  return memory::WholeSlice(std::move(block).value());
}

}  // namespace

int ElementTypeOf(DataType type) {
  for (size_t i = 1; i < kElementTypes.size(); ++i) {
    if (kElementTypes[i].type == type && type != DataType::kInvalid) return static_cast<int>(i);
  }
  return 0;
}

DataType DataTypeOf(int element_type) { return RowOf(element_type).type; }

const char* ElementTypeName(int element_type) { return RowOf(element_type).name; }

Result<OrtHandle<OrtValue>> BorrowAsOrtValue(const OrtRuntime& runtime, const Tensor& tensor) {
  if (tensor.dtype == DataType::kBytes) return CopyStrings(runtime, tensor);
  const OrtFunctions& ort = runtime.functions;
  // ONNX Runtime takes a mutable pointer but never writes to the inputs of a run.
  void* const data = tensor.bytes.size == 0 ? no_bytes : const_cast<uint8_t*>(tensor.bytes.data);
  OrtValue* raw = nullptr;
  PENSTOCK_RETURN_IF_ERROR(
      CheckRun(runtime, ort.CreateTensorWithDataAsOrtValue(runtime.cpu_memory, data, tensor.bytes.size, tensor.dims.data(),
                                                           tensor.dims.size(), ElementTypeOf(tensor.dtype), &raw)));
  return OrtHandle<OrtValue>(raw, ort.ReleaseValue);
}

Status DescribeOrtValue(const OrtRuntime& runtime, const OrtValue* value, Tensor* tensor, uint64_t* count, uint64_t* bytes) {
  const OrtFunctions& ort = runtime.functions;
  OrtTensorTypeAndShapeInfo* raw_info = nullptr;
  PENSTOCK_RETURN_IF_ERROR(CheckRun(runtime, ort.GetTensorTypeAndShape(value, &raw_info)));
  const OrtHandle<OrtTensorTypeAndShapeInfo> info(raw_info, ort.ReleaseTensorTypeAndShapeInfo);
  int element_type = 0;
  size_t rank = 0;
  PENSTOCK_RETURN_IF_ERROR(CheckRun(runtime, ort.GetTensorElementType(raw_info, &element_type)));
  PENSTOCK_RETURN_IF_ERROR(CheckRun(runtime, ort.GetDimensionsCount(raw_info, &rank)));
  tensor->dtype = DataTypeOf(element_type);
  if (tensor->dtype == DataType::kInvalid) {
    return Status(StatusCode::kModelRun, std::string("an output came as a tensor of ") + ElementTypeName(element_type));
  }
  tensor->dims.resize(rank);
  PENSTOCK_RETURN_IF_ERROR(CheckRun(runtime, ort.GetDimensions(raw_info, tensor->dims.data(), rank)));
  if (!ElementCount(tensor->dims, count) || !CheckedMul(*count, DataTypeSize(tensor->dtype), bytes)) {
    return Status(StatusCode::kModelRun, "the shape of an output has more elements than fit 64 bits");
  }
  return Status::Ok();
}

Result<Tensor> TensorFromOrtValue(const OrtRuntime& runtime, OrtHandle<OrtValue> value, const std::vector<Tensor>& inputs) {
  const OrtFunctions& ort = runtime.functions;
  Tensor tensor;
  uint64_t count = 0;
  uint64_t bytes = 0;
  PENSTOCK_RETURN_IF_ERROR(DescribeOrtValue(runtime, value.get(), &tensor, &count, &bytes));
  if (tensor.dtype == DataType::kBytes) {
    Result<memory::Slice> framed = FrameStrings(runtime, value.get(), count);
    if (!framed.ok()) return framed.status();
    tensor.bytes = std::move(framed).value();
    return tensor;
  }

  void* data = no_bytes;
  if (bytes != 0) PENSTOCK_RETURN_IF_ERROR(CheckRun(runtime, ort.GetTensorMutableData(value.get(), &data)));
  if (IsLent(data, inputs)) {
    Result<memory::Slice> copied = CopyBytes(data, bytes);
    if (!copied.ok()) return copied.status();
    tensor.bytes = std::move(copied).value();
    return tensor;
  }
  tensor.bytes = memory::Slice{static_cast<const uint8_t*>(data), bytes, memory::MemoryKind::kPageable,
                               memory::Owner(value.release(), [release = ort.ReleaseValue](const void* owned) {
                                 release(static_cast<OrtValue*>(const_cast<void*>(owned)));
                               })};
  return tensor;
}

}  // namespace penstock::session
