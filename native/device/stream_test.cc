#include "device/stream.h"

#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "device/test_driver.h"

namespace penstock::device {
namespace {

std::vector<uint8_t> Bytes(size_t count, uint8_t first) {
  std::vector<uint8_t> bytes(count);
  for (size_t i = 0; i < count; ++i) bytes[i] = static_cast<uint8_t>(first + i * 7);
  return bytes;
}

uint64_t FreeBytes(const Gpu& gpu) { return gpu.ReadMemory().value().free_bytes; }

TEST(Stream, CopiesInAndOutInTheOrderOfTheCalls) {
  FakeDriver fake;
  const auto gpu = fake.First();
  auto stream = Stream::Create(gpu);
  auto buffer = DeviceBuffer::Allocate(gpu, 4097);
  ASSERT_TRUE(stream.ok() && buffer.ok());
  const DevicePointer at = buffer.value().data();
  const std::vector<uint8_t> in = Bytes(4097, 3);
  std::vector<uint8_t> out(4097);
  std::vector<uint8_t> cleared(4097, 0xFF);
  ASSERT_TRUE(stream.value()->CopyIn(at, in.data(), in.size()).ok());
  ASSERT_TRUE(stream.value()->CopyOut(out.data(), at, out.size()).ok());
  ASSERT_TRUE(stream.value()->Clear(at + 1, 4095).ok());
  ASSERT_TRUE(stream.value()->CopyOut(cleared.data(), at, cleared.size()).ok());
  ASSERT_TRUE(stream.value()->Synchronize().ok());
  EXPECT_EQ(out, in);
  EXPECT_EQ(cleared.front(), in.front());
  EXPECT_EQ(cleared.back(), in.back());
  for (size_t i = 1; i < 4096; ++i) ASSERT_EQ(cleared[i], 0) << i;
}

TEST(Stream, CopiesNothingWithoutAskingTheDriver) {
  FakeDriver fake;
  const auto gpu = fake.First();
  auto stream = Stream::Create(gpu);
  ASSERT_TRUE(stream.ok());
  EXPECT_TRUE(stream.value()->CopyIn(0, nullptr, 0).ok());
  EXPECT_TRUE(stream.value()->CopyOut(nullptr, 0, 0).ok());
  EXPECT_TRUE(stream.value()->Clear(0, 0).ok());
  EXPECT_TRUE(stream.value()->Synchronize().ok());
  EXPECT_EQ(fake.Calls("cuMemcpyHtoDAsync_v2") + fake.Calls("cuMemcpyDtoHAsync_v2") + fake.Calls("cuMemsetD8Async"), 0u);
}

TEST(Stream, WorksOnAThreadWhoseContextAnotherLibraryHasChanged) {
  FakeDriver fake("gpus 2");
  const Gpus gpus = FindGpus(FakeDriver::Options());
  ASSERT_EQ(gpus.list.size(), 2u);
  auto stream = Stream::Create(gpus.list[0]);
  auto buffer = DeviceBuffer::Allocate(gpus.list[0], 256);
  ASSERT_TRUE(stream.ok() && buffer.ok());
  const std::vector<uint8_t> in = Bytes(256, 9);
  std::vector<uint8_t> out(256);
  ASSERT_TRUE(gpus.list[1]->Enter().ok());
  ASSERT_TRUE(stream.value()->CopyIn(buffer.value().data(), in.data(), in.size()).ok());
  std::thread other([&] {
    EXPECT_TRUE(stream.value()->CopyOut(out.data(), buffer.value().data(), out.size()).ok());
    EXPECT_TRUE(stream.value()->Synchronize().ok());
  });
  other.join();
  EXPECT_EQ(out, in);
}

TEST(Stream, TellsAndRemembersTheCallThatMetAStickyError) {
  const struct {
    const char* rule;
    const char* text;
  } faults[] = {
      {"sticky cuMemcpyHtoDAsync_v2 700", "cuMemcpyHtoDAsync_v2: CUDA_ERROR_ILLEGAL_ADDRESS (700)"},
      {"sticky cuMemcpyDtoHAsync_v2 716", "cuMemcpyDtoHAsync_v2: CUDA_ERROR_MISALIGNED_ADDRESS (716)"},
      {"sticky cuMemsetD8Async 719", "cuMemsetD8Async: CUDA_ERROR_LAUNCH_FAILED (719)"},
      {"async-sticky cuMemcpyHtoDAsync_v2 718", "cuStreamSynchronize: CUDA_ERROR_INVALID_PC (718)"},
  };
  for (const auto& expected : faults) {
    FakeDriver fake;
    const auto gpu = fake.First();
    {
      auto stream = Stream::Create(gpu);
      auto buffer = DeviceBuffer::Allocate(gpu, 64);
      ASSERT_TRUE(stream.ok() && buffer.ok());
      uint8_t host[64] = {};
      fake.Say(expected.rule);
      // As a lane does: it stops at the first failure.
      Status status = stream.value()->Clear(buffer.value().data(), 64);
      if (status.ok()) status = stream.value()->CopyIn(buffer.value().data(), host, 64);
      if (status.ok() && std::string(expected.rule).find("async") != 0) status = stream.value()->CopyOut(host, buffer.value().data(), 64);
      if (status.ok()) status = stream.value()->Synchronize();
      EXPECT_EQ(status.code(), StatusCode::kGpuFault) << expected.rule;
      EXPECT_EQ(status.message(), expected.text);
      EXPECT_FALSE(stream.value()->Synchronize().ok()) << "it stays broken";
      EXPECT_EQ(gpu->fatal().text, expected.text) << "the first call is the one that is remembered";
    }
    EXPECT_EQ(fake.Calls("cuMemFree_v2"), 0u) << "nothing is given back in a dead context";
    EXPECT_EQ(fake.Calls("cuStreamDestroy_v2"), 0u);
  }
}

TEST(Stream, AFailureThatPassesLeavesItUsable) {
  FakeDriver fake("fail cuMemcpyHtoDAsync_v2 1 times 1");
  const auto gpu = fake.First();
  auto stream = Stream::Create(gpu);
  auto buffer = DeviceBuffer::Allocate(gpu, 64);
  ASSERT_TRUE(stream.ok() && buffer.ok());
  uint8_t host[64] = {};
  EXPECT_FALSE(stream.value()->CopyIn(buffer.value().data(), host, 64).ok());
  EXPECT_EQ(gpu->fatal().kind, FaultKind::kNone);
  EXPECT_TRUE(stream.value()->CopyIn(buffer.value().data(), host, 64).ok());
  EXPECT_TRUE(stream.value()->Synchronize().ok());
}

TEST(Stream, IsGivenBackWithTheObject) {
  FakeDriver fake;
  const auto gpu = fake.First();
  Stream::Create(gpu).value().reset();
  EXPECT_EQ(fake.Calls("cuStreamDestroy_v2"), 1u);
  fake.Say("fail cuStreamCreate 2");
  const auto refused = Stream::Create(gpu);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.status().message(), "cuStreamCreate: CUDA_ERROR_OUT_OF_MEMORY (2)");
}

TEST(DeviceBuffer, TakesMemoryOfTheDeviceAndGivesItBack) {
  FakeDriver fake("gpu 0 memory 16MiB");
  const auto gpu = fake.First();
  const uint64_t before = FreeBytes(*gpu);
  {
    auto buffer = DeviceBuffer::Allocate(gpu, 1 << 20);
    ASSERT_TRUE(buffer.ok());
    EXPECT_NE(buffer.value().data(), 0u);
    EXPECT_EQ(buffer.value().size(), 1u << 20);
    EXPECT_EQ(FreeBytes(*gpu), before - (1 << 20));
  }
  EXPECT_EQ(FreeBytes(*gpu), before);
}

TEST(DeviceBuffer, RefusesMoreThanThereIs) {
  FakeDriver fake("gpu 0 memory 16MiB");
  const auto gpu = fake.First();
  const uint64_t before = FreeBytes(*gpu);
  const auto refused = DeviceBuffer::Allocate(gpu, 32 << 20);
  EXPECT_EQ(refused.status().code(), StatusCode::kGpuMemory);
  EXPECT_EQ(refused.status().message(), "cuMemAlloc_v2: CUDA_ERROR_OUT_OF_MEMORY (2) for 33554432 bytes");
  EXPECT_EQ(FreeBytes(*gpu), before);
}

TEST(DeviceBuffer, OfNoBytesNeedsNoDriver) {
  FakeDriver fake;
  const auto gpu = fake.First();
  fake.Say("fail cuMemAlloc_v2 2");
  auto empty = DeviceBuffer::Allocate(gpu, 0);
  ASSERT_TRUE(empty.ok());
  EXPECT_EQ(empty.value().data(), 0u);
  EXPECT_EQ(empty.value().size(), 0u);
}

TEST(DeviceBuffer, MovesWithoutCopyAndFreesOnce) {
  FakeDriver fake("gpu 0 memory 16MiB");
  const auto gpu = fake.First();
  const uint64_t before = FreeBytes(*gpu);
  {
    DeviceBuffer first = DeviceBuffer::Allocate(gpu, 4096).value();
    DeviceBuffer second = DeviceBuffer::Allocate(gpu, 8192).value();
    const DevicePointer at = second.data();
    fake.Say("");
    first = std::move(second);
    EXPECT_EQ(fake.Calls("cuMemFree_v2"), 1u) << "what was there before";
    EXPECT_EQ(first.data(), at);
    EXPECT_EQ(first.size(), 8192u);
    EXPECT_EQ(second.data(), 0u);  // NOLINT: what a move leaves behind is part of the promise
    EXPECT_EQ(second.size(), 0u);
    DeviceBuffer& same = first;
    first = std::move(same);
    EXPECT_EQ(first.data(), at);
    DeviceBuffer third(std::move(first));
    EXPECT_EQ(third.data(), at);
    EXPECT_EQ(fake.Calls("cuMemFree_v2"), 1u);
  }
  EXPECT_EQ(fake.Calls("cuMemFree_v2"), 2u);
  EXPECT_EQ(FreeBytes(*gpu), before);
}

TEST(DeviceBuffer, IsFreedByAThreadThatNeverTouchedTheGpu) {
  FakeDriver fake;
  const auto gpu = fake.First();
  const uint64_t before = FreeBytes(*gpu);
  DeviceBuffer buffer = DeviceBuffer::Allocate(gpu, 4096).value();
  std::thread([held = std::move(buffer)] {}).join();
  EXPECT_EQ(FreeBytes(*gpu), before);
}

TEST(Stream, LanesOfOneGpuCopyAtOnceAndKeepTheirBytesApart) {
  FakeDriver fake("delay cuMemcpyHtoDAsync_v2 1ms");
  const auto gpu = fake.First();
  std::vector<std::thread> lanes;
  for (int lane = 0; lane < 4; ++lane) {
    lanes.emplace_back([&, lane] {
      auto stream = Stream::Create(gpu);
      ASSERT_TRUE(stream.ok());
      for (int round = 0; round < 10; ++round) {
        auto buffer = DeviceBuffer::Allocate(gpu, 1000);
        ASSERT_TRUE(buffer.ok());
        const std::vector<uint8_t> in = Bytes(1000, static_cast<uint8_t>(lane * 50 + round));
        std::vector<uint8_t> out(1000);
        ASSERT_TRUE(stream.value()->CopyIn(buffer.value().data(), in.data(), in.size()).ok());
        ASSERT_TRUE(stream.value()->CopyOut(out.data(), buffer.value().data(), out.size()).ok());
        ASSERT_TRUE(stream.value()->Synchronize().ok());
        ASSERT_EQ(out, in);
      }
    });
  }
  for (auto& lane : lanes) lane.join();
  EXPECT_EQ(gpu->fatal().kind, FaultKind::kNone);
}

}  // namespace
}  // namespace penstock::device
