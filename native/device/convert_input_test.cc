#include "device/convert_input.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <random>

#include "device/kernels.h"
#include "device/test_driver.h"

namespace penstock::device {
namespace {

template <typename T>
std::vector<uint8_t> BytesOf(const std::vector<T>& values) {
  std::vector<uint8_t> bytes(values.size() * sizeof(T));
  std::memcpy(bytes.data(), values.data(), bytes.size());
  return bytes;
}

uint32_t BitsOf(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  return bits;
}

std::vector<uint32_t> BitsOf(const std::vector<float>& values) {
  std::vector<uint32_t> bits;
  for (float value : values) bits.push_back(BitsOf(value));
  return bits;
}

std::vector<float> OnCpu(const InputConversion& conversion, const std::vector<uint8_t>& from, size_t elements) {
  std::vector<float> to(elements);
  ConvertInput(conversion, from.data(), elements, to.data());
  return to;
}

// As the kernels do it; without an image of a real GPU the fake driver takes any.
std::vector<float> OnGpu(const InputConversion& conversion, const std::vector<uint8_t>& from, size_t elements) {
  const FakeDriver fake;
  const std::shared_ptr<Gpu> gpu = fake.First();
  const auto kernels = Kernels::LoadImage(gpu, "image");
  const auto stream = Stream::Create(gpu);
  EXPECT_TRUE(kernels.ok()) << kernels.status().message();
  const auto prepared = kernels.value()->Prepare(stream.value().get(), conversion);
  EXPECT_TRUE(prepared.ok()) << prepared.status().message();
  const auto source = DeviceBuffer::Allocate(gpu, from.size());
  const auto target = DeviceBuffer::Allocate(gpu, elements * sizeof(float));
  std::vector<float> to(elements);
  Stream* const on = stream.value().get();
  EXPECT_TRUE(on->CopyIn(source.value().data(), from.data(), from.size()).ok());
  const uint64_t allocations = fake.Calls("cuMemAlloc_v2");
  EXPECT_TRUE(kernels.value()->ConvertInput(on, prepared.value(), source.value().data(), elements, target.value().data()).ok());
  EXPECT_EQ(fake.Calls("cuMemAlloc_v2"), allocations) << "a run allocates nothing";
  EXPECT_TRUE(on->CopyOut(to.data(), target.value().data(), elements * sizeof(float)).ok());
  EXPECT_TRUE(on->Synchronize().ok());
  return to;
}

std::vector<uint8_t> AllBytes() {
  std::vector<uint8_t> bytes(256);
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<uint8_t>(i);
  return bytes;
}

std::vector<uint8_t> AllHalves() {
  std::vector<uint16_t> halves(65536);
  for (size_t i = 0; i < halves.size(); ++i) halves[i] = static_cast<uint16_t>(i);
  return BytesOf(halves);
}

InputConversion Conversion(DataType from, std::vector<float> scale, std::vector<float> offset, int64_t inner = 1) {
  InputConversion conversion;
  conversion.from = from;
  conversion.scale = std::move(scale);
  conversion.offset = std::move(offset);
  conversion.inner = inner;
  return conversion;
}

TEST(ConvertInput, DecodesEveryByte) {
  const std::vector<float> to = OnCpu(Conversion(DataType::kUint8, {1}, {0}), AllBytes(), 256);
  for (size_t i = 0; i < to.size(); ++i) EXPECT_EQ(to[i], static_cast<float>(i));
}

TEST(ConvertInput, DecodesEveryHalfExactly) {
  const std::vector<float> to = OnCpu(Conversion(DataType::kFp16, {1}, {0}), AllHalves(), 65536);
  EXPECT_EQ(to[0x0001], std::ldexp(1.0f, -24));
  EXPECT_EQ(to[0x03FF], std::ldexp(1023.0f, -24));
  EXPECT_EQ(to[0x0400], std::ldexp(1.0f, -14));
  EXPECT_EQ(to[0x3C00], 1.0f);
  EXPECT_EQ(to[0x3555], 1365.0f / 4096);
  EXPECT_EQ(to[0xC000], -2.0f);
  EXPECT_EQ(to[0x7BFF], 65504.0f);
  EXPECT_EQ(to[0x7C00], std::numeric_limits<float>::infinity());
  EXPECT_EQ(to[0xFC00], -std::numeric_limits<float>::infinity());
  for (size_t i = 0x7C01; i < 0x8000; ++i) {
    ASSERT_EQ(BitsOf(to[i]), 0x7FC00000u) << i;
    ASSERT_EQ(BitsOf(to[i + 0x8000]), 0x7FC00000u) << i;
  }
}

TEST(ConvertInput, RoundsOnce) {
  // Where the product is rounded before the sum, some of these come out otherwise.
  const float scale = 1.0f / 255;
  const float offset = -1.0f;
  const std::vector<float> to = OnCpu(Conversion(DataType::kUint8, {scale}, {offset}), AllBytes(), 256);
  bool differs = false;
  for (size_t i = 0; i < to.size(); ++i) {
    const double exact = static_cast<double>(i) * static_cast<double>(scale) + static_cast<double>(offset);
    ASSERT_EQ(to[i], static_cast<float>(exact)) << i;  // 8 + 24 bits: a double holds the product, and this sum, exactly
    volatile float product = static_cast<float>(i) * scale;
    differs = differs || to[i] != product + offset;
  }
  EXPECT_TRUE(differs) << "or the test shows nothing";
}

TEST(ConvertInput, GivesTheBitsOfTheKernelForEveryByteAndHalf) {
  const std::vector<std::vector<float>> values = {{1, 0}, {1.0f / 255, -0.485f / 0.229f}, {-3.4e38f, 1e30f}, {1e-42f, 1e-45f}, {0, NAN}};
  for (const std::vector<float>& value : values) {
    const auto bytes = Conversion(DataType::kUint8, {value[0]}, {value[1]});
    EXPECT_EQ(BitsOf(OnCpu(bytes, AllBytes(), 256)), BitsOf(OnGpu(bytes, AllBytes(), 256)));
    const auto halves = Conversion(DataType::kFp16, {value[0]}, {value[1]});
    EXPECT_EQ(BitsOf(OnCpu(halves, AllHalves(), 65536)), BitsOf(OnGpu(halves, AllHalves(), 65536)));
  }
}

TEST(ConvertInput, GivesTheBitsOfTheKernelForFloats) {
  std::mt19937 random(7);
  std::vector<uint32_t> bits(100'003);
  for (uint32_t& each : bits) each = random();
  const auto conversion = Conversion(DataType::kFp32, {2.5f, -1e-3f, 7}, {0.1f, 3, -1e20f}, 1000);
  EXPECT_EQ(BitsOf(OnCpu(conversion, BytesOf(bits), bits.size())), BitsOf(OnGpu(conversion, BytesOf(bits), bits.size())));
}

TEST(ConvertInput, TakesTheChannelOfEachElementWhateverTheLayout) {
  struct Layout {
    size_t channels;
    int64_t inner;
  };
  // Channels last, planes, one channel, short runs, more than the tables hold, and runs that end in the middle.
  for (const Layout& layout :
       std::vector<Layout>{{3, 1}, {3, 50'176}, {1, 1}, {1, 9}, {4, 3}, {5, 63}, {700, 1}, {5000, 1}, {300, 20}, {2, 64}, {600, 1}}) {
    InputConversion conversion;
    conversion.inner = layout.inner;
    for (size_t i = 0; i < layout.channels; ++i) {
      conversion.scale.push_back(static_cast<float>(i + 1));
      conversion.offset.push_back(static_cast<float>(i) * 0.25f);
    }
    ASSERT_TRUE(CheckConversion(conversion).ok());
    const size_t elements = layout.channels * static_cast<size_t>(layout.inner) * 2 + 5;
    std::vector<uint8_t> from(elements);
    for (size_t i = 0; i < elements; ++i) from[i] = static_cast<uint8_t>(i * 31);
    const std::vector<float> to = OnCpu(conversion, from, elements);
    for (size_t i = 0; i < elements; ++i) {
      const size_t channel = i / static_cast<size_t>(layout.inner) % layout.channels;
      ASSERT_EQ(to[i], std::fma(static_cast<float>(from[i]), conversion.scale[channel], conversion.offset[channel]))
          << layout.channels << " channels of " << layout.inner << ", element " << i;
    }
    EXPECT_EQ(BitsOf(to), BitsOf(OnGpu(conversion, from, elements)));
  }
}

TEST(ConvertInput, ReadsFromAnyAddress) {
  std::vector<uint8_t> shifted = AllHalves();
  shifted.insert(shifted.begin(), 0xEE);
  const auto conversion = Conversion(DataType::kFp16, {1}, {0});
  std::vector<float> to(65536);
  ConvertInput(conversion, shifted.data() + 1, to.size(), to.data());
  EXPECT_EQ(BitsOf(to), BitsOf(OnCpu(conversion, AllHalves(), 65536)));
}

TEST(ConvertInput, WritesNothingForNoElements) {
  float to = 5;
  ConvertInput(Conversion(DataType::kUint8, {1, 2}, {3, 4}), nullptr, 0, &to);
  EXPECT_EQ(to, 5);
}

TEST(CheckConversion, RefusesWhatCannotBeDone) {
  EXPECT_TRUE(CheckConversion(Conversion(DataType::kFp32, {1, 2}, {3, 4}, 7)).ok());
  for (const InputConversion& bad :
       {Conversion(DataType::kInt8, {1}, {0}), Conversion(DataType::kUint8, {}, {}), Conversion(DataType::kUint8, {1, 2}, {0}),
        Conversion(DataType::kUint8, {1}, {0}, 0), Conversion(DataType::kUint8, {1}, {0}, -4),
        Conversion(DataType::kUint8, {1, 2}, {0, 0}, 1LL << 31), Conversion(DataType::kUint8, {1, 2, 3}, {0, 0, 0}, INT64_MAX)}) {
    const Status status = CheckConversion(bad);
    EXPECT_EQ(status.code(), StatusCode::kModelConfig);
    EXPECT_FALSE(status.message().empty());
  }
}

}  // namespace
}  // namespace penstock::device
