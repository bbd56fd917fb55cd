#include "memory/driver_page_locker.h"

#include <gtest/gtest.h>

#include <cstring>
#include <thread>
#include <vector>

#include "device/stream.h"
#include "device/test_driver.h"

namespace penstock::memory {
namespace {

using device::FakeDriver;
using device::FaultKind;

TEST(DriverPageLocker, LocksPagesThatTheGpuCopiesFrom) {
  FakeDriver fake;
  const auto gpu = fake.First();
  DriverPageLocker locker(gpu);
  auto* pages = static_cast<uint8_t*>(locker.Lock(8192));
  ASSERT_NE(pages, nullptr);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(pages) % 4096, 0u);
  std::memset(pages, 0x5A, 8192);
  auto stream = device::Stream::Create(gpu);
  auto buffer = device::DeviceBuffer::Allocate(gpu, 8192);
  ASSERT_TRUE(stream.ok() && buffer.ok());
  std::vector<uint8_t> out(8192);
  ASSERT_TRUE(stream.value()->CopyIn(buffer.value().data(), pages, 8192).ok());
  ASSERT_TRUE(stream.value()->CopyOut(out.data(), buffer.value().data(), 8192).ok());
  ASSERT_TRUE(stream.value()->Synchronize().ok());
  EXPECT_EQ(out, std::vector<uint8_t>(8192, 0x5A));
  EXPECT_EQ(fake.HostBytes(), 8192u);
  locker.Unlock(pages, 8192);
  EXPECT_EQ(fake.HostBytes(), 0u);
}

TEST(DriverPageLocker, MapsPagesForKernels) {
  FakeDriver fake;
  const auto gpu = fake.First();
  DriverPageLocker locker(gpu);
  void* pages = locker.Lock(4096);
  ASSERT_NE(pages, nullptr);
  EXPECT_EQ(locker.DeviceAddress(pages), reinterpret_cast<uint64_t>(pages)) << "as unified addressing has it";
  fake.Say("fail cuMemHostGetDevicePointer_v2 1");
  EXPECT_EQ(locker.DeviceAddress(pages), 0u);
  EXPECT_EQ(gpu->fatal().kind, FaultKind::kNone);
  locker.Unlock(pages, 4096);
}

TEST(DriverPageLocker, LocksAndUnlocksOnThreadsThatNeverTouchedTheGpu) {
  FakeDriver fake;
  const auto gpu = fake.First();
  DriverPageLocker locker(gpu);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&locker] {
      for (int i = 0; i < 20; ++i) {
        void* pages = locker.Lock(4096);
        ASSERT_NE(pages, nullptr);
        std::memset(pages, i, 4096);
        std::thread([&locker, pages] { locker.Unlock(pages, 4096); }).join();
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(fake.Calls("cuMemHostAlloc"), 80u);
  EXPECT_EQ(fake.HostBytes(), 0u);
  EXPECT_EQ(gpu->fatal().kind, FaultKind::kNone) << gpu->fatal().text;
}

TEST(DriverPageLocker, ARefusalOfTheHostIsNoMatterOfTheGpu) {
  FakeDriver fake("fail cuMemHostAlloc 2 times 1\nfail cuMemHostAlloc 304 after 1 times 1");
  const auto gpu = fake.First();
  DriverPageLocker locker(gpu);
  EXPECT_EQ(locker.Lock(4096), nullptr);
  EXPECT_EQ(locker.Lock(4096), nullptr);
  EXPECT_EQ(gpu->out_of_memory_count(), 0u);
  EXPECT_EQ(gpu->fatal().kind, FaultKind::kNone);
  void* pages = locker.Lock(4096);
  EXPECT_NE(pages, nullptr) << "and it passes";
  locker.Unlock(pages, 4096);
}

TEST(DriverPageLocker, LocksNothingForNoBytes) {
  FakeDriver fake;
  DriverPageLocker locker(fake.First());
  EXPECT_EQ(locker.Lock(0), nullptr);
  EXPECT_EQ(fake.Calls("cuMemHostAlloc"), 0u);
}

TEST(DriverPageLocker, RemembersADeadContextAndLeavesItAlone) {
  FakeDriver fake;
  const auto gpu = fake.First();
  DriverPageLocker locker(gpu);
  void* pages = locker.Lock(4096);
  ASSERT_NE(pages, nullptr);
  fake.Say("sticky cuMemHostAlloc 700");
  EXPECT_EQ(locker.Lock(4096), nullptr);
  EXPECT_EQ(gpu->fatal().text, "cuMemHostAlloc: CUDA_ERROR_ILLEGAL_ADDRESS (700)");
  EXPECT_EQ(locker.Lock(4096), nullptr);
  EXPECT_EQ(fake.Calls("cuMemHostAlloc"), 1u) << "it is not asked again";
  locker.Unlock(pages, 4096);
  EXPECT_EQ(fake.Calls("cuMemFreeHost"), 0u);
}

}  // namespace
}  // namespace penstock::memory
