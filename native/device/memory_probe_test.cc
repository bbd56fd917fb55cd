#include "device/memory_probe.h"

#include <gtest/gtest.h>

#include "device/test_driver.h"

namespace penstock::device {
namespace {

constexpr uint64_t kBytes = (5u << 20) + 12;  // several chunks, and not a whole number of them

// With our kernels and without: the parameter says which.
class MemoryProbeTest : public testing::TestWithParam<bool> {
 protected:
  std::unique_ptr<MemoryProbe> Make(const std::shared_ptr<Gpu>& gpu) {
    std::shared_ptr<const Kernels> kernels;
    if (GetParam()) kernels = Kernels::LoadImage(gpu, "image").value();
    auto probe = MemoryProbe::Create(gpu, kBytes, kernels);
    EXPECT_TRUE(probe.ok()) << probe.status().message();
    return std::move(probe).value();
  }
};

INSTANTIATE_TEST_SUITE_P(WithAndWithoutKernels, MemoryProbeTest, testing::Bool(),
                         [](const auto& test) { return test.param ? "Kernels" : "Host"; });

TEST_P(MemoryProbeTest, FindsNothingWrongWithGoodMemory) {
  const FakeDriver fake;
  const auto probe = Make(fake.First());
  for (int i = 0; i < 3; ++i) {
    const ProbeResult result = probe->Run();
    ASSERT_TRUE(result.status.ok()) << result.status.message();
    EXPECT_EQ(result.mismatches, 0u);
    EXPECT_EQ(result.bytes, kBytes);
    EXPECT_GT(result.duration_ns, 0);
    EXPECT_GT(result.free_bytes, 0u);
  }
  EXPECT_EQ(fake.Calls("cuLaunchKernel") > 0, GetParam());
}

TEST_P(MemoryProbeTest, FindsWhatCameBackChanged) {
  FakeDriver fake("corrupt cuMemcpyDtoHAsync_v2 times 1");
  const auto probe = Make(fake.First());
  const ProbeResult result = probe->Run();
  EXPECT_TRUE(result.status.ok()) << "the device did answer";
  EXPECT_GE(result.mismatches, 1u);
  EXPECT_LE(result.mismatches, kBytes / 4);
  EXPECT_EQ(probe->Run().mismatches, 0u);
}

TEST_P(MemoryProbeTest, ReportsAFaultAsSuch) {
  FakeDriver fake;
  const std::shared_ptr<Gpu> gpu = fake.First();
  const auto probe = Make(gpu);
  fake.Say("sticky cuStreamSynchronize 700");
  EXPECT_EQ(probe->Run().status.code(), StatusCode::kGpuFault);
  EXPECT_EQ(gpu->fatal().kind, FaultKind::kSticky);
}

TEST_P(MemoryProbeTest, GivesItsMemoryBack) {
  const FakeDriver fake;
  const std::shared_ptr<Gpu> gpu = fake.First();
  const uint64_t before = gpu->ReadMemory().value().free_bytes;
  {
    const auto probe = Make(gpu);
    EXPECT_LE(probe->Run().free_bytes, before - kBytes);
  }
  EXPECT_EQ(gpu->ReadMemory().value().free_bytes, before);
}

TEST(MemoryProbe, FindsABitThatChangedInOneWord) {
  FakeDriver fake;
  const auto probe = MemoryProbe::Create(fake.First(), kBytes, nullptr);
  ASSERT_TRUE(probe.ok());
  fake.Say("corrupt cuMemcpyHtoDAsync_v2 after 2 times 1");
  EXPECT_EQ(probe.value()->Run().mismatches, 1u);
  EXPECT_EQ(probe.value()->Run().mismatches, 0u);
}

TEST(MemoryProbe, SaysThatThereIsNoMemoryForIt) {
  const FakeDriver fake("gpu 0 memory 1MiB");
  EXPECT_EQ(MemoryProbe::Create(fake.First(), kBytes).status().code(), StatusCode::kGpuMemory);
}

}  // namespace
}  // namespace penstock::device
