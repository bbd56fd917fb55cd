#include "kernels.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "base/checked_math.h"
#include "contexts.h"
#include "device/kernels/gather_row.h"
#include "device/kernels/probe_pattern.h"

namespace penstock::fake_driver {
namespace {

// For the tests of the fake itself.
void FillWords(const Launch& launch, uint64_t to, uint32_t value, uint64_t count) {
  std::fill_n(launch.At<uint32_t>(to, count), count, value);
}

void Fill(const Launch& launch, uint64_t at, uint64_t words, uint32_t seed) {
  auto* to = launch.At<uint32_t>(at, words);
  for (uint64_t i = 0; i < words; ++i) to[i] = device::ProbeWord(i, seed);
}

void CountMismatches(const Launch& launch, uint64_t at, uint64_t words, uint32_t seed, uint64_t count) {
  const auto* from = launch.At<uint32_t>(at, words);
  auto* total = launch.At<uint64_t>(count, 1);
  for (uint64_t i = 0; i < words; ++i) *total += from[i] != device::ProbeWord(i, seed) ? 1 : 0;
}

struct Half {
  uint16_t bits;
};

float Decode(uint8_t value) { return value; }
float Decode(float value) { return value; }
// By the definition of binary16.
float Decode(Half half) {
  const int exponent = half.bits >> 10 & 0x1F;
  const int fraction = half.bits & 0x3FF;
  float magnitude = std::ldexp(static_cast<float>(exponent == 0 ? fraction : 1024 + fraction), std::max(exponent, 1) - 25);
  if (exponent == 31) magnitude = fraction == 0 ? std::numeric_limits<float>::infinity() : std::numeric_limits<float>::quiet_NaN();
  return (half.bits & 0x8000) != 0 ? -magnitude : magnitude;
}

float Transform(float value, const float* scales, const float* offsets, uint64_t channel) {
  const float result = std::fma(value, scales[channel], offsets[channel]);
  return std::isnan(result) ? std::numeric_limits<float>::quiet_NaN() : result;
}

template <typename From>
void Convert(const Launch& launch, uint64_t from, uint64_t scale, uint64_t offset, uint32_t channels, uint32_t inner, uint64_t elements,
             uint64_t to) {
  const auto* source = launch.At<From>(from, elements);
  const auto* scales = launch.At<float>(scale, channels);
  const auto* offsets = launch.At<float>(offset, channels);
  auto* target = launch.At<float>(to, elements);
  for (uint64_t i = 0; i < elements; ++i) target[i] = Transform(Decode(source[i]), scales, offsets, i / inner % channels);
}

// Calls use(element, its place in all) for each element of all places.
template <typename From, typename Use>
void ForEachGathered(const Launch& launch, uint64_t table, uint64_t count, uint64_t place, uint64_t fill, const Use& use) {
  From filling;
  std::memcpy(&filling, &fill, sizeof filling);
  const auto* rows = launch.At<device::GatherRow>(table, count);
  for (uint64_t r = 0; r < count; ++r) {
    const uint64_t elements = std::min(rows[r].elements, place);
    const From* source = elements == 0 ? nullptr : launch.At<From>(rows[r].source, elements);
    for (uint64_t i = 0; i < place; ++i) use(i < elements ? source[i] : filling, r * place + i);
  }
}

template <typename Word>
void Gather(const Launch& launch, uint64_t table, uint64_t count, uint64_t place, uint64_t fill, uint64_t to) {
  auto* target = launch.At<Word>(to, count * place);
  ForEachGathered<Word>(launch, table, count, place, fill, [&](Word value, uint64_t at) { target[at] = value; });
}

template <typename From>
void GatherConverted(const Launch& launch, uint64_t table, uint64_t count, uint64_t place, uint64_t fill, uint64_t scale, uint64_t offset,
                     uint32_t channels, uint32_t inner, uint64_t to) {
  const auto* scales = launch.At<float>(scale, channels);
  const auto* offsets = launch.At<float>(offset, channels);
  auto* target = launch.At<float>(to, count * place);
  ForEachGathered<From>(launch, table, count, place, fill, [&](From value, uint64_t at) {
    target[at] = Transform(Decode(value), scales, offsets, at / inner % channels);
  });
}

// One line a kernel.
const std::vector<Kernel>& Table() {
  static const auto& table = *new std::vector<Kernel>{
      KernelOf<FillWords>::Named("fake_fill_words"),
      KernelOf<Fill>::Named("penstock_fill"),
      KernelOf<CountMismatches>::Named("penstock_count_mismatches"),
      KernelOf<Convert<uint8_t>>::Named("penstock_convert_uint8"),
      KernelOf<Convert<Half>>::Named("penstock_convert_fp16"),
      KernelOf<Convert<float>>::Named("penstock_convert_fp32"),
      KernelOf<Gather<uint8_t>>::Named("penstock_gather_1"),
      KernelOf<Gather<uint16_t>>::Named("penstock_gather_2"),
      KernelOf<Gather<uint32_t>>::Named("penstock_gather_4"),
      KernelOf<Gather<uint64_t>>::Named("penstock_gather_8"),
      KernelOf<GatherConverted<uint8_t>>::Named("penstock_gather_uint8"),
      KernelOf<GatherConverted<Half>>::Named("penstock_gather_fp16"),
      KernelOf<GatherConverted<float>>::Named("penstock_gather_fp32"),
  };
  return table;
}

}  // namespace

void* Launch::Reach(uint64_t pointer, uint64_t count, size_t element_bytes, size_t alignment) const {
  uint64_t bytes = 0;
  auto* at = reinterpret_cast<void*>(pointer);
  if (!CheckedMul(count, element_bytes, &bytes) || pointer % alignment != 0 || !context->Reaches(at, bytes)) throw IllegalAddress{};
  return at;
}

const Kernel* FindKernel(const std::string& name) {
  for (const Kernel& each : Table()) {
    if (each.name == name) return &each;
  }
  return nullptr;
}

}  // namespace penstock::fake_driver
