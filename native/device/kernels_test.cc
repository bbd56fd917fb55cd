#include "device/kernels.h"

#include <gtest/gtest.h>

#include "device/kernel_image.h"
#include "device/kernels/probe_pattern.h"
#include "device/test_driver.h"

namespace penstock::device {
namespace {

TEST(Kernels, AreUnavailableWithoutAnImage) {
  const FakeDriver fake;
  const auto kernels = Kernels::LoadImage(fake.First(), nullptr);
  EXPECT_EQ(kernels.status().code(), StatusCode::kGpuUnavailable);
  EXPECT_EQ(kernels.status().message(), "no GPU kernels in this build");
  EXPECT_EQ(Kernels::Load(fake.First()).ok(), EmbeddedKernels() != nullptr);
}

TEST(Kernels, AreUnavailableWhenTheDriverRefusesTheImage) {
  const FakeDriver fake("fail cuModuleLoadData 209");
  const std::shared_ptr<Gpu> gpu = fake.First();
  const auto kernels = Kernels::LoadImage(gpu, "image");
  EXPECT_EQ(kernels.status().code(), StatusCode::kGpuUnavailable);
  EXPECT_EQ(kernels.status().message().rfind("cuModuleLoadData: ", 0), 0u) << kernels.status().message();
  EXPECT_EQ(gpu->fatal().kind, FaultKind::kNone);
}

TEST(Kernels, AreUnavailableWhenTheImageLacksOne) {
  const FakeDriver fake("fail cuModuleGetFunction 500 after 3");
  EXPECT_EQ(Kernels::LoadImage(fake.First(), "image").status().code(), StatusCode::kGpuUnavailable);
  EXPECT_EQ(fake.Calls("cuModuleUnload"), 1u) << "what was loaded is given back";
}

TEST(Kernels, SayWhenTheGpuItselfIsToBlame) {
  const FakeDriver fake("sticky cuModuleLoadData 700");
  EXPECT_EQ(Kernels::LoadImage(fake.First(), "image").status().code(), StatusCode::kGpuFault);
}

TEST(Kernels, SayWhenMemoryIsShort) {
  const FakeDriver fake("fail cuModuleLoadData 2");
  EXPECT_EQ(Kernels::LoadImage(fake.First(), "image").status().code(), StatusCode::kGpuMemory);
}

TEST(Kernels, CountTheWordsThatDifferFromThePattern) {
  const FakeDriver fake;
  const std::shared_ptr<Gpu> gpu = fake.First();
  const auto kernels = Kernels::LoadImage(gpu, "image");
  const auto stream = Stream::Create(gpu);
  constexpr uint64_t kWords = 10'001;
  const auto region = DeviceBuffer::Allocate(gpu, kWords * 4);
  const auto count = DeviceBuffer::Allocate(gpu, 8);
  Stream* const on = stream.value().get();
  const DevicePointer at = region.value().data();
  ASSERT_TRUE(kernels.value()->Fill(on, at, kWords, 4).ok());
  const uint32_t changed = ProbeWord(17, 4) ^ 1;
  ASSERT_TRUE(on->CopyIn(at + 17 * 4, &changed, 4).ok());
  ASSERT_TRUE(on->CopyIn(at + (kWords - 1) * 4, &changed, 4).ok());
  ASSERT_TRUE(on->Clear(count.value().data(), 8).ok());
  ASSERT_TRUE(kernels.value()->CountMismatches(on, at, kWords, 4, count.value().data()).ok());
  uint64_t mismatches = 0;
  ASSERT_TRUE(on->CopyOut(&mismatches, count.value().data(), 8).ok());
  ASSERT_TRUE(on->Synchronize().ok());
  EXPECT_EQ(mismatches, 2u);
}

TEST(Kernels, FailAnIllegalAddressAtTheNextWait) {
  const FakeDriver fake;
  const std::shared_ptr<Gpu> gpu = fake.First();
  const auto kernels = Kernels::LoadImage(gpu, "image");
  const auto stream = Stream::Create(gpu);
  ASSERT_TRUE(kernels.value()->Fill(stream.value().get(), 64, 8, 0).ok());
  EXPECT_EQ(stream.value()->Synchronize().code(), StatusCode::kGpuFault);
  EXPECT_EQ(gpu->fatal().kind, FaultKind::kSticky);
}

TEST(ProbeWord, GivesEveryBitBothWaysInTwoRuns) {
  for (uint64_t index : {0ull, 1ull, 77ull, 1ull << 33}) EXPECT_EQ(ProbeWord(index, 6), ~ProbeWord(index, 7));
  EXPECT_NE(ProbeWord(5, 0), ProbeWord(5, 2));
  EXPECT_NE(ProbeWord(5, 0), ProbeWord(5 + (1ull << 32), 0));
}

}  // namespace
}  // namespace penstock::device
