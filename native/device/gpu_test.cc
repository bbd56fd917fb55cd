#include "device/gpu.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include "device/stream.h"
#include "device/test_driver.h"

namespace penstock::device {
namespace {

TEST(Gpu, ReadsTheMemoryOfItsDevice) {
  FakeDriver fake("gpu 0 memory 16MiB used-by-others 4MiB");
  const auto gpu = fake.First();
  auto memory = gpu->ReadMemory();
  ASSERT_TRUE(memory.ok()) << memory.status().message();
  EXPECT_EQ(memory.value().total_bytes, 16u << 20);
  const uint64_t before = memory.value().free_bytes;
  EXPECT_LE(before, 12u << 20);
  auto buffer = DeviceBuffer::Allocate(gpu, 1 << 20);
  ASSERT_TRUE(buffer.ok());
  EXPECT_LE(gpu->ReadMemory().value().free_bytes, before - (1 << 20));
}

TEST(Gpu, EntersItsContextOnAnyThread) {
  FakeDriver fake("gpus 2");
  const Gpus gpus = FindGpus(FakeDriver::Options());
  ASSERT_EQ(gpus.list.size(), 2u);
  const CudaFunctions& cuda = gpus.list[0]->driver().cuda();
  std::thread other([&] {
    CudaContext current = nullptr;
    CudaContext first = nullptr;
    EXPECT_EQ(cuda.cuCtxGetCurrent(&current), 0);
    EXPECT_EQ(current, nullptr) << "a new thread has none";
    ASSERT_TRUE(gpus.list[0]->Enter().ok());
    EXPECT_EQ(cuda.cuCtxGetCurrent(&first), 0);
    EXPECT_NE(first, nullptr);
    ASSERT_TRUE(gpus.list[1]->Enter().ok());
    EXPECT_EQ(cuda.cuCtxGetCurrent(&current), 0);
    EXPECT_NE(current, first);
    ASSERT_TRUE(gpus.list[0]->Enter().ok());
    EXPECT_EQ(cuda.cuCtxGetCurrent(&current), 0);
    EXPECT_EQ(current, first) << "the primary context is one and the same each time";
  });
  other.join();
}

TEST(Gpu, LetsAThreadWorkWhileOthersRecordGraphs) {
  FakeDriver fake;
  const auto gpu = fake.First();
  std::thread other([&] {
    for (int i = 0; i < 2; ++i) ASSERT_TRUE(gpu->Enter().ok());
    int mode = 0;
    ASSERT_EQ(gpu->driver().cuda().cuThreadExchangeStreamCaptureMode(&mode), 0);
    EXPECT_EQ(mode, kCudaCaptureModeThreadLocal);
  });
  other.join();
}

TEST(Gpu, RemembersTheFirstFatalFaultAndNoOther) {
  FakeDriver fake;
  const auto gpu = fake.First();
  EXPECT_TRUE(gpu->Check("cuMemcpyHtoDAsync_v2", 0).ok());
  const Status passing = gpu->Check("cuMemcpyHtoDAsync_v2", 1);
  EXPECT_EQ(passing.code(), StatusCode::kGpuFault);
  EXPECT_EQ(passing.message(), "cuMemcpyHtoDAsync_v2: CUDA_ERROR_INVALID_VALUE (1)");
  EXPECT_EQ(gpu->fatal().kind, FaultKind::kNone) << "the call was wrong, the context is not";

  const Status first = gpu->Check("cuStreamSynchronize", 700);
  EXPECT_EQ(first.code(), StatusCode::kGpuFault);
  const Status second = gpu->Check("cuMemFree_v2", 999);
  EXPECT_EQ(second.code(), StatusCode::kGpuLost) << "each call has its own status";
  EXPECT_EQ(gpu->fatal().kind, FaultKind::kSticky);
  EXPECT_EQ(gpu->fatal().code, 700);
  EXPECT_EQ(gpu->fatal().text, "cuStreamSynchronize: CUDA_ERROR_ILLEGAL_ADDRESS (700)");
}

TEST(Gpu, RecordsFatalFaultsOfOthersAndIgnoresPassingOnes) {
  FakeDriver fake;
  const auto gpu = fake.First();
  gpu->RecordFatal(Fault{});
  gpu->RecordFatal(Fault{FaultKind::kOutOfMemory, 2, "passes"});
  EXPECT_EQ(gpu->fatal().kind, FaultKind::kNone);
  gpu->RecordFatal(Fault{FaultKind::kEcc, 214, "a run of a model"});
  EXPECT_EQ(gpu->fatal().text, "a run of a model");
}

TEST(Gpu, CountsFailedAllocationsAndGoesOn) {
  FakeDriver fake("fail cuMemAlloc_v2 2 times 2");
  const auto gpu = fake.First();
  for (int i = 0; i < 2; ++i) {
    const auto refused = DeviceBuffer::Allocate(gpu, 4096);
    ASSERT_FALSE(refused.ok());
    EXPECT_EQ(refused.status().code(), StatusCode::kGpuMemory);
    EXPECT_EQ(refused.status().message(), "cuMemAlloc_v2: CUDA_ERROR_OUT_OF_MEMORY (2) for 4096 bytes");
  }
  EXPECT_EQ(gpu->out_of_memory_count(), 2u);
  EXPECT_EQ(gpu->fatal().kind, FaultKind::kNone);
  EXPECT_TRUE(DeviceBuffer::Allocate(gpu, 4096).ok());
  EXPECT_EQ(gpu->out_of_memory_count(), 2u);
  gpu->CountOutOfMemory();
  EXPECT_EQ(gpu->out_of_memory_count(), 3u) << "one that ONNX Runtime met";
}

TEST(Gpu, AnswersThatItWorksWhileOthersWorkIsUnderWay) {
  FakeDriver fake("delay cuMemsetD8Async 300ms");
  const auto gpu = fake.First();
  auto stream = Stream::Create(gpu);
  ASSERT_TRUE(stream.ok());
  auto buffer = DeviceBuffer::Allocate(gpu, 64);
  ASSERT_TRUE(buffer.ok());
  ASSERT_TRUE(stream.value()->Clear(buffer.value().data(), 64).ok());
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(gpu->Ask().kind, FaultKind::kNone);
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::milliseconds(150)) << "it must not wait";
  EXPECT_TRUE(stream.value()->Synchronize().ok());
}

// 600: the default stream has work. 900 to 908: some stream records a graph. The context answers, so it works.
TEST(Gpu, TakesARefusalToAnswerForAnAnswer) {
  for (const char* code : {"600", "900", "901", "905", "906", "908"}) {
    FakeDriver fake(std::string("fail cuStreamQuery ") + code);
    const auto gpu = fake.First();
    EXPECT_EQ(gpu->Ask().kind, FaultKind::kNone) << code;
    EXPECT_EQ(fake.Calls("cuStreamQuery"), 1u) << "it did ask";
  }
}

TEST(Gpu, FindsOutByAskingWhatHasHappenedToItsContext) {
  const struct {
    CudaCode code;
    FaultKind kind;
    const char* text;
  } faults[] = {
      {700, FaultKind::kSticky, "cuStreamQuery: CUDA_ERROR_ILLEGAL_ADDRESS (700)"},
      {719, FaultKind::kSticky, "cuStreamQuery: CUDA_ERROR_LAUNCH_FAILED (719)"},
      {226, FaultKind::kContainedMemory, "cuStreamQuery: CUDA_ERROR_CONTAINED (226)"},
      {214, FaultKind::kEcc, "cuStreamQuery: CUDA_ERROR_ECC_UNCORRECTABLE (214)"},
      {999, FaultKind::kLost, "cuStreamQuery: CUDA_ERROR_UNKNOWN (999)"},
      {100, FaultKind::kLost, "cuStreamQuery: CUDA_ERROR_NO_DEVICE (100)"},
  };
  for (const auto& expected : faults) {
    FakeDriver fake("async-sticky cuMemsetD8Async " + std::to_string(expected.code));
    const auto gpu = fake.First();
    EXPECT_EQ(gpu->Ask().kind, FaultKind::kNone);
    {
      auto buffer = DeviceBuffer::Allocate(gpu, 64);
      ASSERT_TRUE(buffer.ok());
      auto stream = Stream::Create(gpu);
      ASSERT_TRUE(stream.ok());
      // As ONNX Runtime would: none of our checks sees the failure.
      const CudaFunctions& cuda = gpu->driver().cuda();
      ASSERT_EQ(cuda.cuMemsetD8Async(buffer.value().data(), 1, 64, stream.value()->handle()), 0);
      EXPECT_EQ(cuda.cuStreamSynchronize(stream.value()->handle()), expected.code);
      EXPECT_EQ(gpu->fatal().kind, FaultKind::kNone);

      EXPECT_EQ(gpu->Ask().kind, expected.kind) << expected.text;
    }
    EXPECT_EQ(gpu->fatal().kind, expected.kind);
    EXPECT_EQ(gpu->fatal().code, expected.code);
    EXPECT_EQ(gpu->fatal().text, expected.text);
    const uint64_t asked = fake.Calls("cuStreamQuery");
    EXPECT_EQ(gpu->Ask().text, expected.text);
    EXPECT_EQ(fake.Calls("cuStreamQuery"), asked) << "what is known need not be asked again";
  }
}

TEST(Gpu, ThreadsThatFailTogetherAgreeOnOneFault) {
  FakeDriver fake;
  const auto gpu = fake.First();
  std::atomic<bool> go{false};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      while (!go) std::this_thread::yield();
      for (int i = 0; i < 200; ++i) {
        EXPECT_FALSE(gpu->Check("cuMemAlloc_v2", 2).ok());
        EXPECT_FALSE(gpu->Check("cuStreamSynchronize", 714 + t).ok());
        const Fault seen = gpu->fatal();
        EXPECT_EQ(seen.code, gpu->fatal().code);
        EXPECT_NE(seen.text.find("(" + std::to_string(seen.code) + ")"), std::string::npos) << seen.text;
      }
    });
  }
  go = true;
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(gpu->out_of_memory_count(), 800u);
  EXPECT_EQ(gpu->fatal().kind, FaultKind::kSticky);
}

}  // namespace
}  // namespace penstock::device
