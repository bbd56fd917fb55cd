#include "pipeline/made_up_inputs.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <memory>
#include <utility>

#include "base/checked_math.h"
#include "memory/block.h"

namespace penstock::pipeline {
namespace {

// SplitMix64 (Steele, Lea, Flood 2014): well mixed bits of a counter.
uint64_t Mix(uint64_t value) {
  value += 0x9e3779b97f4a7c15u;
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9u;
  value = (value ^ (value >> 27)) * 0x94d049bb133111ebu;
  return value ^ (value >> 31);
}

template <typename T>
void Put(uint8_t* destination, T value) {
  std::memcpy(destination, &value, sizeof(value));
}

// `bits` is random, `alternating` 0 or 1.
void PutElement(DataType dtype, uint64_t bits, uint64_t alternating, uint8_t* destination) {
  switch (dtype) {
    case DataType::kFp32:
      return Put(destination, static_cast<float>(bits >> 40) * 0x1p-24f);
    case DataType::kFp64:
      return Put(destination, static_cast<double>(bits >> 11) * 0x1p-53);
    case DataType::kFp16:  // exponent of [0.5, 1), random fraction
      return Put(destination, static_cast<uint16_t>(0x3800 | (bits & 0x3ff)));
    case DataType::kBf16:
      return Put(destination, static_cast<uint16_t>(0x3f00 | (bits & 0x7f)));
    case DataType::kBytes:
      Put(destination, uint32_t{1});
      destination[sizeof(uint32_t)] = static_cast<uint8_t>('1' + alternating);
      return;
    default:  // little-endian integers and bools of any width
      std::memcpy(destination, &alternating, DataTypeSize(dtype));
  }
}

Result<session::Tensor> MakeUp(const session::TensorSpec& spec, uint64_t index, const MadeUpShape& shape) {
  session::Tensor tensor{spec.dtype, spec.dims, {}};
  for (int64_t& dim : tensor.dims) {
    if (dim < 0) dim = shape.open_dim;
  }
  if (shape.batched && !tensor.dims.empty()) tensor.dims[0] = shape.rows;
  if (shape.ragged != nullptr) {
    for (const RaggedInput& input : shape.ragged->inputs) {
      if (input.input == index) tensor.dims[input.dim] = shape.length;
    }
  }
  const size_t element_size = spec.dtype == DataType::kBytes ? sizeof(uint32_t) + 1 : DataTypeSize(spec.dtype);
  uint64_t elements = 0;
  uint64_t bytes = 0;
  if (!ElementCount(tensor.dims, &elements) || !CheckedMul(elements, element_size, &bytes)) {
    return Status(StatusCode::kMemory, "input \"" + spec.name + "\" is larger than any memory");
  }
  Result<std::shared_ptr<memory::Block>> block = memory::BlockPool::Process().Allocate(bytes);
  if (!block.ok()) return block.status();

  const uint64_t per_row = shape.batched && shape.rows > 0 ? elements / static_cast<uint64_t>(shape.rows) : elements;
  uint8_t* destination = block.value()->data();
  for (uint64_t i = 0; i < elements; ++i, destination += element_size) {
    const uint64_t row = static_cast<uint64_t>(shape.first_row) + i / per_row;
    const uint64_t column = i % per_row;
    PutElement(spec.dtype, Mix(Mix(Mix(index) + row) + column), (row + column) % 2, destination);
  }
  tensor.bytes = memory::WholeSlice(std::move(block).value());
  return tensor;
}

double HalfToDouble(uint16_t half) {
  const int exponent = (half >> 10) & 0x1f;
  const int fraction = half & 0x3ff;
  double value = 0;
  if (exponent == 0x1f) {
    value = fraction == 0 ? INFINITY : NAN;
  } else {
    value = exponent == 0 ? std::ldexp(fraction, -24) : std::ldexp(fraction + 0x400, exponent - 25);
  }
  return (half & 0x8000) != 0 ? -value : value;
}

template <typename T>
T Get(const uint8_t* source) {
  T value;
  std::memcpy(&value, source, sizeof(value));
  return value;
}

double FloatAt(DataType dtype, const uint8_t* source) {
  switch (dtype) {
    case DataType::kFp32:
      return Get<float>(source);
    case DataType::kFp64:
      return Get<double>(source);
    case DataType::kFp16:
      return HalfToDouble(Get<uint16_t>(source));
    default: {  // BF16 is the upper half of an FP32
      uint8_t wide[4] = {0, 0, source[0], source[1]};
      return Get<float>(wide);
    }
  }
}

bool Close(double a, double b, double relative) {
  if (std::isnan(a) || std::isnan(b)) return std::isnan(a) && std::isnan(b);
  if (std::isinf(a) || std::isinf(b)) return a == b;
  return std::fabs(a - b) <= 1e-5 + relative * std::fmax(std::fabs(a), std::fabs(b));
}

}  // namespace

Result<std::vector<session::Tensor>> MakeUpInputs(const session::Signature& signature, const MadeUpShape& shape,
                                                  const std::vector<size_t>& optional) {
  std::vector<session::Tensor> inputs;
  for (const session::TensorSpec& spec : signature.inputs) {
    if (spec.optional && std::find(optional.begin(), optional.end(), inputs.size()) == optional.end()) {
      inputs.emplace_back();
      continue;
    }
    Result<session::Tensor> tensor = MakeUp(spec, inputs.size(), shape);
    if (!tensor.ok()) return tensor.status();
    inputs.push_back(std::move(tensor).value());
  }
  return inputs;
}

bool Agree(const session::Tensor& a, const session::Tensor& b) {
  if (a.dtype != b.dtype || a.dims != b.dims || a.bytes.size != b.bytes.size) return false;
  const bool half = a.dtype == DataType::kFp16 || a.dtype == DataType::kBf16;
  if (!half && a.dtype != DataType::kFp32 && a.dtype != DataType::kFp64) {
    return a.bytes.size == 0 || std::memcmp(a.bytes.data, b.bytes.data, a.bytes.size) == 0;
  }
  const size_t element_size = DataTypeSize(a.dtype);
  for (size_t at = 0; at + element_size <= a.bytes.size; at += element_size) {
    if (!Close(FloatAt(a.dtype, a.bytes.data + at), FloatAt(b.dtype, b.bytes.data + at), half ? 1e-2 : 1e-3)) return false;
  }
  return true;
}

}  // namespace penstock::pipeline
