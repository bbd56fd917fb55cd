// All kernels of Penstock, in one image. Their parameters are those of kernels.cc and, for tests, of test/fake-driver/kernels.cc.
//
// Each walks its elements with the stride of the whole grid, so any grid will do.
#include <cstdint>
#include <cstring>

#include "device/kernels/gather_row.h"
#include "device/kernels/probe_pattern.h"

using penstock::device::GatherRow;
using penstock::device::ProbeWord;

namespace {

__device__ uint64_t FirstElement() { return static_cast<uint64_t>(blockIdx.x) * blockDim.x + threadIdx.x; }
__device__ uint64_t Stride() { return static_cast<uint64_t>(gridDim.x) * blockDim.x; }

__device__ float Decode(uint8_t value) { return static_cast<float>(value); }
__device__ float Decode(float value) { return value; }
// cvt.f32.f16 is exact, subnormals included.
__device__ float Decode(uint16_t half) {
  float value;
  asm("cvt.f32.f16 %0, %1;" : "=f"(value) : "h"(half));
  return value;
}

struct Channels {
  const float* scale;
  const float* offset;
  uint32_t channels;
  uint32_t inner;

  // The same bits as ConvertInput of convert_input.cc: one fused multiply-add, one NaN. `i`: the element's place in all. `is_small`: no
  // place passes 32 bits; divisions of 64 cost a multiple.
  template <typename From>
  __device__ float operator()(From value, uint64_t i, bool is_small) const {
    uint32_t channel = 0;
    if (channels > 1) {
      channel = is_small ? static_cast<uint32_t>(i) / inner % channels : static_cast<uint32_t>(i / inner % channels);
    }
    const float result = __fmaf_rn(Decode(value), scale[channel], offset[channel]);
    return result == result ? result : __uint_as_float(0x7FC00000u);
  }
};

struct AsTheyAre {
  template <typename From>
  __device__ From operator()(From value, uint64_t, bool) const {
    return value;
  }
};

template <typename From>
__device__ void Convert(const From* from, Channels convert, uint64_t elements, float* to) {
  const bool is_small = elements <= UINT32_MAX;
  for (uint64_t i = FirstElement(); i < elements; i += Stride()) to[i] = convert(from[i], i, is_small);
}

// Each thread takes 16 bytes of a row at a time, in one load where they are aligned: a warp then asks the bus for whole lines, in order.
template <typename From, typename To, typename Map>
__device__ void Gather(const GatherRow* rows, uint64_t count, uint64_t place, From fill, Map map, To* to) {
  constexpr uint32_t kStep = sizeof(uint4) / sizeof(From);
  constexpr uint32_t kWideStores = kStep * sizeof(To) / sizeof(uint4);
  const uint64_t steps = place / kStep + (place % kStep != 0);
  const bool is_small = count * place <= UINT32_MAX;  // and so is count * steps
  for (uint64_t i = FirstElement(); i < count * steps; i += Stride()) {
    const uint64_t row = is_small ? static_cast<uint32_t>(i) / static_cast<uint32_t>(steps) : i / steps;
    const uint64_t begin = (i - row * steps) * kStep;
    const GatherRow from = rows[row];
    const From* const source = reinterpret_cast<const From*>(from.source);
    From values[kStep];
    if (begin + kStep <= from.elements && from.source % sizeof(uint4) == 0) {
      const uint4 wide = reinterpret_cast<const uint4*>(source)[begin / kStep];
      memcpy(values, &wide, sizeof wide);
    } else {
      for (uint32_t k = 0; k < kStep; ++k) values[k] = begin + k < from.elements ? source[begin + k] : fill;
    }
    const uint64_t first = row * place + begin;
    To results[kStep];
    for (uint32_t k = 0; k < kStep; ++k) results[k] = map(values[k], first + k, is_small);
    To* const target = to + first;
    if (begin + kStep <= place && reinterpret_cast<uint64_t>(target) % sizeof(uint4) == 0) {
      uint4 wide[kWideStores];
      memcpy(wide, results, sizeof wide);
      for (uint32_t k = 0; k < kWideStores; ++k) reinterpret_cast<uint4*>(target)[k] = wide[k];
    } else {
      for (uint32_t k = 0; k < kStep && begin + k < place; ++k) target[k] = results[k];
    }
  }
}

}  // namespace

extern "C" {

__global__ void penstock_fill(uint32_t* at, uint64_t words, uint32_t seed) {
  for (uint64_t i = FirstElement(); i < words; i += Stride()) at[i] = ProbeWord(i, seed);
}

// Adds the number of words that differ from the pattern to *count.
__global__ void penstock_count_mismatches(const uint32_t* at, uint64_t words, uint32_t seed, unsigned long long* count) {
  unsigned long long mismatches = 0;
  for (uint64_t i = FirstElement(); i < words; i += Stride()) mismatches += at[i] != ProbeWord(i, seed);
  if (mismatches > 0) atomicAdd(count, mismatches);
}

__global__ void penstock_convert_uint8(const uint8_t* from, const float* scale, const float* offset, uint32_t channels, uint32_t inner,
                                       uint64_t elements, float* to) {
  Convert(from, Channels{scale, offset, channels, inner}, elements, to);
}

__global__ void penstock_convert_fp16(const uint16_t* from, const float* scale, const float* offset, uint32_t channels, uint32_t inner,
                                      uint64_t elements, float* to) {
  Convert(from, Channels{scale, offset, channels, inner}, elements, to);
}

__global__ void penstock_convert_fp32(const float* from, const float* scale, const float* offset, uint32_t channels, uint32_t inner,
                                      uint64_t elements, float* to) {
  Convert(from, Channels{scale, offset, channels, inner}, elements, to);
}

// The low bits of `fill` are one element.
__global__ void penstock_gather_1(const GatherRow* rows, uint64_t count, uint64_t place, uint64_t fill, uint8_t* to) {
  Gather(rows, count, place, static_cast<uint8_t>(fill), AsTheyAre{}, to);
}

__global__ void penstock_gather_2(const GatherRow* rows, uint64_t count, uint64_t place, uint64_t fill, uint16_t* to) {
  Gather(rows, count, place, static_cast<uint16_t>(fill), AsTheyAre{}, to);
}

__global__ void penstock_gather_4(const GatherRow* rows, uint64_t count, uint64_t place, uint64_t fill, uint32_t* to) {
  Gather(rows, count, place, static_cast<uint32_t>(fill), AsTheyAre{}, to);
}

__global__ void penstock_gather_8(const GatherRow* rows, uint64_t count, uint64_t place, uint64_t fill, uint64_t* to) {
  Gather(rows, count, place, fill, AsTheyAre{}, to);
}

__global__ void penstock_gather_uint8(const GatherRow* rows, uint64_t count, uint64_t place, uint64_t fill, const float* scale,
                                      const float* offset, uint32_t channels, uint32_t inner, float* to) {
  Gather(rows, count, place, static_cast<uint8_t>(fill), Channels{scale, offset, channels, inner}, to);
}

__global__ void penstock_gather_fp16(const GatherRow* rows, uint64_t count, uint64_t place, uint64_t fill, const float* scale,
                                     const float* offset, uint32_t channels, uint32_t inner, float* to) {
  Gather(rows, count, place, static_cast<uint16_t>(fill), Channels{scale, offset, channels, inner}, to);
}

__global__ void penstock_gather_fp32(const GatherRow* rows, uint64_t count, uint64_t place, uint64_t fill, const float* scale,
                                     const float* offset, uint32_t channels, uint32_t inner, float* to) {
  Gather(rows, count, place, __uint_as_float(static_cast<uint32_t>(fill)), Channels{scale, offset, channels, inner}, to);
}

}  // extern "C"
