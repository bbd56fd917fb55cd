#include "device/convert_input.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>
#include <string>

#include "base/checked_math.h"

// The loops are compiled once for every machine and, on x86, once more for those with a fused multiply-add (all since 2013), where they
// become vector code: always-inline bodies end up in both.
#define PENSTOCK_INLINE inline __attribute__((always_inline))

namespace penstock::device {

namespace {

// Channels that change every few elements are laid out into tables of one value per element, so that the inner loop runs over whole
// vectors all the same.
constexpr size_t kShortRun = 64;
constexpr size_t kPeriodWanted = 256;
constexpr size_t kPeriodMax = 4096;
constexpr size_t kVector = 8;  // floats

PENSTOCK_INLINE float FromBits(uint32_t bits) {
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

PENSTOCK_INLINE uint32_t ToBits(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  return bits;
}

// Element types by how one is read and decoded; memory need not be aligned.
struct Uint8 {
  static PENSTOCK_INLINE float Read(const uint8_t* from, size_t i) { return static_cast<float>(from[i]); }
};

struct Fp32 {
  static PENSTOCK_INLINE float Read(const uint8_t* from, size_t i) {
    float value;
    std::memcpy(&value, from + i * sizeof value, sizeof value);
    return value;
  }
};

// Exact, as every binary16 is a binary32 too. Only normal numbers take part in the arithmetic.
struct Fp16 {
  static PENSTOCK_INLINE float Read(const uint8_t* from, size_t i) {
    uint16_t half;
    std::memcpy(&half, from + i * sizeof half, sizeof half);
    constexpr uint32_t kRebias = 112u << 23;    // 127 - 15
    constexpr uint32_t kSmallest = 113u << 23;  // 2^-14, below which halves are subnormal
    const uint32_t magnitude = half & 0x7FFFu;
    const uint32_t fraction = magnitude << 13;
    const uint32_t subnormal = ToBits(FromBits(fraction + kSmallest) - FromBits(kSmallest));
    // Masks: from conditions the compiler makes branches, and no vectors.
    const uint32_t is_subnormal = 0u - static_cast<uint32_t>(magnitude < 0x0400u);
    const uint32_t is_special = 0u - static_cast<uint32_t>(magnitude >= 0x7C00u);
    const uint32_t finite = (subnormal & is_subnormal) | ((fraction + kRebias) & ~is_subnormal);
    return FromBits((half & 0x8000u) << 16 | finite | (0x7F800000u & is_special));
  }
};

PENSTOCK_INLINE float Transform(float value, float scale, float offset) {
  const float result = std::fma(value, scale, offset);
  return result == result ? result : std::numeric_limits<float>::quiet_NaN();
}

// How the elements follow each other: either runs of one channel, or periods whose values stand in tables.
struct Plan {
  const float* scale = nullptr;
  const float* offset = nullptr;
  size_t channels = 0;
  size_t run = 0;     // elements of one channel; 0 with periods
  size_t period = 0;  // entries of the tables
};

template <typename From>
PENSTOCK_INLINE void Convert(const Plan& plan, const uint8_t* from, size_t elements, float* to) {
  if (plan.run > 0) {
    for (size_t at = 0, channel = 0; at < elements; at += plan.run, channel = channel + 1 == plan.channels ? 0 : channel + 1) {
      const float scale = plan.scale[channel];
      const float offset = plan.offset[channel];
      const size_t end = at + std::min(plan.run, elements - at);
      for (size_t i = at; i < end; ++i) to[i] = Transform(From::Read(from, i), scale, offset);
    }
    return;
  }
  for (size_t at = 0; at < elements; at += plan.period) {
    const size_t count = std::min(plan.period, elements - at);
    for (size_t i = 0; i < count; ++i) to[at + i] = Transform(From::Read(from, at + i), plan.scale[i], plan.offset[i]);
  }
}

PENSTOCK_INLINE void ConvertType(DataType type, const Plan& plan, const uint8_t* from, size_t elements, float* to) {
  if (type == DataType::kUint8) {
    Convert<Uint8>(plan, from, elements, to);
  } else if (type == DataType::kFp16) {
    Convert<Fp16>(plan, from, elements, to);
  } else {
    Convert<Fp32>(plan, from, elements, to);
  }
}

void ConvertAnywhere(DataType type, const Plan& plan, const uint8_t* from, size_t elements, float* to) {
  ConvertType(type, plan, from, elements, to);
}

#if defined(__x86_64__)
__attribute__((target("avx2,fma"))) void ConvertWithFma(DataType type, const Plan& plan, const uint8_t* from, size_t elements, float* to) {
  ConvertType(type, plan, from, elements, to);
}

bool HasFma() {
  static const bool has = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  return has;
}
#endif

void ConvertPlanned(DataType type, const Plan& plan, const uint8_t* from, size_t elements, float* to) {
#if defined(__x86_64__)
  if (HasFma()) return ConvertWithFma(type, plan, from, elements, to);
#endif
  ConvertAnywhere(type, plan, from, elements, to);
}

}  // namespace

Status CheckConversion(const InputConversion& conversion) {
  const DataType from = conversion.from;
  if (from != DataType::kUint8 && from != DataType::kFp16 && from != DataType::kFp32) {
    return Status(StatusCode::kModelConfig,
                  "inputs can be converted from UINT8, FP16 and FP32, not from " + std::string(DataTypeName(from)));
  }
  if (conversion.scale.empty() || conversion.scale.size() != conversion.offset.size()) {
    return Status(StatusCode::kModelConfig, "a conversion needs as many scales as offsets, at least one of each: there are " +
                                                std::to_string(conversion.scale.size()) + " and " +
                                                std::to_string(conversion.offset.size()));
  }
  uint64_t row = 0;
  if (conversion.inner < 1 || !CheckedMul(conversion.scale.size(), static_cast<uint64_t>(conversion.inner), &row) || row > UINT32_MAX) {
    return Status(StatusCode::kModelConfig, "a conversion of " + std::to_string(conversion.scale.size()) + " channels of " +
                                                std::to_string(conversion.inner) + " elements is not possible");
  }
  return Status::Ok();
}

void ConvertInput(const InputConversion& conversion, const uint8_t* from, size_t elements, float* to) {
  if (elements == 0) return;
  Plan plan;
  plan.scale = conversion.scale.data();
  plan.offset = conversion.offset.data();
  plan.channels = conversion.scale.size();
  const size_t inner = static_cast<size_t>(conversion.inner);
  const size_t row = plan.channels * inner;  // checked by CheckConversion
  if (plan.channels == 1) {
    plan.run = elements;
  } else if (inner == 1 && row >= kPeriodWanted) {
    plan.period = row;
  } else if (inner >= kShortRun || row > kPeriodMax) {
    plan.run = inner;
  } else {
    std::array<float, kPeriodMax> scale;
    std::array<float, kPeriodMax> offset;
    const size_t step = row * kVector <= kPeriodMax ? row * kVector : row;
    plan.period = step * std::max<size_t>(1, kPeriodWanted / step);
    for (size_t i = 0; i < plan.period; ++i) {
      scale[i] = plan.scale[i / inner % plan.channels];
      offset[i] = plan.offset[i / inner % plan.channels];
    }
    plan.scale = scale.data();
    plan.offset = offset.data();
    return ConvertPlanned(conversion.from, plan, from, elements, to);
  }
  ConvertPlanned(conversion.from, plan, from, elements, to);
}

}  // namespace penstock::device
