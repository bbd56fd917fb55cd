// All kernels of Penstock, in one image. Their parameters are those of kernels.cc and, for tests, of test/fake-driver/kernels.cc.
//
// Each walks its elements with the stride of the whole grid, so any grid will do.
#include <cstdint>

#include "device/kernels/probe_pattern.h"

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

// The same bits as ConvertInput of convert_input.cc: one fused multiply-add, one NaN.
template <typename From>
__device__ void Convert(const From* from, const float* scale, const float* offset, uint32_t channels, uint32_t inner, uint64_t elements,
                        float* to) {
  // Divisions of 64 bits cost a multiple of those of 32.
  const bool is_small = elements <= UINT32_MAX;
  for (uint64_t i = FirstElement(); i < elements; i += Stride()) {
    uint32_t channel = 0;
    if (channels > 1) {
      channel = is_small ? static_cast<uint32_t>(i) / inner % channels : static_cast<uint32_t>(i / inner % channels);
    }
    const float result = __fmaf_rn(Decode(from[i]), scale[channel], offset[channel]);
    to[i] = result == result ? result : __uint_as_float(0x7FC00000u);
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
  Convert(from, scale, offset, channels, inner, elements, to);
}

__global__ void penstock_convert_fp16(const uint16_t* from, const float* scale, const float* offset, uint32_t channels, uint32_t inner,
                                      uint64_t elements, float* to) {
  Convert(from, scale, offset, channels, inner, elements, to);
}

__global__ void penstock_convert_fp32(const float* from, const float* scale, const float* offset, uint32_t channels, uint32_t inner,
                                      uint64_t elements, float* to) {
  Convert(from, scale, offset, channels, inner, elements, to);
}

}  // extern "C"
