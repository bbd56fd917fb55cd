#include <chrono>
#include <cstdlib>
#include <thread>

#include "loaded_driver.h"

namespace penstock::fake_driver {
namespace {

using device::CudaContext;
using device::CudaPointer;
using device::CudaStream;

class FakeScript : public FakeDriverTest {
 protected:
  int TryToAllocate() {
    CudaPointer pointer = 0;
    return cuda.cuMemAlloc_v2(&pointer, 16);
  }
};

TEST_F(FakeScript, StrikesTheCallsThatItNamesByCount) {
  SetScript("fail cuMemAlloc_v2 2 after 3 times 2\n");
  Enter();
  std::vector<int> codes;
  for (int each = 0; each < 7; ++each) codes.push_back(TryToAllocate());
  EXPECT_EQ(codes, (std::vector<int>{0, 0, 0, 2, 2, 0, 0}));
  EXPECT_EQ(cuda_library().Calls("cuMemAlloc_v2"), 7u);
  EXPECT_EQ(DeviceBytes(0), 5u * 16);
  SetScript("");
  EXPECT_EQ(cuda_library().Calls("cuMemAlloc_v2"), 0u);
}

TEST_F(FakeScript, StrikesTheStart) {
  for (const int code : {35, 100, 304, 802, 803, 804, 999}) {
    SetScript("fail cuInit " + std::to_string(code) + " times 1\n");
    EXPECT_EQ(cuda.cuInit(0), code);
  }
  EXPECT_EQ(cuda.cuInit(0), 0);
  cuda_library().Reset();
  SetScript("gpus 0\n");
  EXPECT_EQ(cuda.cuInit(0), 100);
}

TEST_F(FakeScript, StrikesOneGpuOnly) {
  SetScript("gpus 2\nfail cuMem* 999 gpu 1\n");
  Enter(1);
  EXPECT_EQ(TryToAllocate(), 999);
  Enter(0);
  EXPECT_EQ(TryToAllocate(), 0);
}

TEST_F(FakeScript, TakesAGpuAwayButNotTheNamesOfErrors) {
  SetScript("gpus 2\n");
  Enter(1);
  Enter(0);
  SetScript("gpus 2\nsticky cu* 999 gpu 0\n");
  const char* name = nullptr;
  EXPECT_EQ(cuda.cuGetErrorName(999, &name), 0);
  EXPECT_STREQ(name, "CUDA_ERROR_UNKNOWN");
  EXPECT_EQ(TryToAllocate(), 999);
  EXPECT_EQ(cuda.cuGetErrorString(999, &name), 0);
  EXPECT_EQ(cuda.cuGetErrorName(12345, &name), 1);
}

TEST_F(FakeScript, AnswersEveryLaterCallInAStruckContextAlike) {
  for (const int code : {700, 702, 710, 714, 715, 716, 717, 718, 719, 214, 226}) {
    cuda_library().Reset();
    SetScript("gpus 2\nsticky cuMemAlloc_v2 " + std::to_string(code) + " after 1 times 1\n");
    Enter(0);
    const CudaStream stream = MakeStream();
    EXPECT_EQ(TryToAllocate(), 0);
    EXPECT_EQ(TryToAllocate(), code);
    SetScript("gpus 2\n");
    size_t bytes = 0;
    CudaContext context = nullptr;
    EXPECT_EQ(cuda.cuMemGetInfo_v2(&bytes, &bytes), code);
    EXPECT_EQ(cuda.cuStreamSynchronize(stream), code);
    EXPECT_EQ(cuda.cuStreamQuery(stream), code);
    EXPECT_EQ(cuda.cuDevicePrimaryCtxRetain(&context, 0), code);
    EXPECT_EQ(cuda.cuCtxGetCurrent(&context), 0);
    Enter(1);
    EXPECT_EQ(TryToAllocate(), 0);
    const char* name = nullptr;
    EXPECT_EQ(cuda.cuGetErrorName(code, &name), 0);
  }
}

TEST_F(FakeScript, ShowsAFaultOfWorkAtALaterCall) {
  SetScript("delay cuMemsetD8Async 10ms\nasync-sticky cuMemsetD8Async 719 after 1\n");
  Enter();
  const CudaStream stream = MakeStream();
  const CudaPointer memory = Allocate(1);
  EXPECT_EQ(cuda.cuMemsetD8Async(memory, 1, 1, stream), 0);
  EXPECT_EQ(cuda.cuStreamSynchronize(stream), 0);
  EXPECT_EQ(cuda.cuMemsetD8Async(memory, 2, 1, stream), 0);
  EXPECT_EQ(cuda.cuStreamSynchronize(stream), 719);
  EXPECT_EQ(cuda.cuMemFree_v2(memory), 719);
}

TEST_F(FakeScript, FlipsOneBitSilently) {
  SetScript("corrupt cuMemcpyDtoHAsync_v2 after 1 times 1\n");
  Enter();
  const CudaStream stream = MakeStream();
  const CudaPointer memory = Allocate(64);
  EXPECT_EQ(cuda.cuMemsetD8Async(memory, 0, 64, stream), 0);
  for (const int wanted : {0, 1, 0}) {
    unsigned char bytes[64];
    EXPECT_EQ(cuda.cuMemcpyDtoHAsync_v2(bytes, memory, 64, stream), 0);
    int bits = 0;
    for (const unsigned char each : bytes) bits += __builtin_popcount(each);
    EXPECT_EQ(bits, wanted);
  }
}

TEST_F(FakeScript, HangsUntilItIsReplaced) {
  SetScript("hang cuStreamSynchronize after 1\n");
  Enter();
  const CudaStream stream = MakeStream();
  CudaContext context = nullptr;
  ASSERT_EQ(cuda.cuCtxGetCurrent(&context), 0);
  EXPECT_EQ(cuda.cuStreamSynchronize(stream), 0);
  std::atomic<bool> returned{false};
  std::thread hung([&] {
    EXPECT_EQ(cuda.cuCtxSetCurrent(context), 0);
    EXPECT_EQ(cuda.cuStreamSynchronize(stream), 0);
    returned = true;
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(30));
  EXPECT_FALSE(returned);
  EXPECT_EQ(cuda.cuStreamQuery(stream), 0);
  SetScript("");
  hung.join();
  EXPECT_TRUE(returned);
}

TEST_F(FakeScript, KeepsAStreamBusyWithAKernelThatNeverEnds) {
  SetScript("async-hang cuMemsetD8Async\n");
  Enter();
  const CudaStream stream = MakeStream();
  EXPECT_EQ(cuda.cuMemsetD8Async(Allocate(1), 1, 1, stream), 0);
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  EXPECT_EQ(cuda.cuStreamQuery(stream), 600);
  SetScript("");
  EXPECT_EQ(cuda.cuStreamSynchronize(stream), 0);
}

TEST_F(FakeScript, LetsAProcessEndWhileCallsHang) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  const auto end_with_hung_calls = [this] {
    SetScript("hang cuMemGetInfo_v2\nasync-hang cuMemsetD8Async\n");
    Enter();
    EXPECT_EQ(cuda.cuMemsetD8Async(Allocate(1), 1, 1, nullptr), 0);
    std::thread([this] {
      size_t bytes = 0;
      cuda.cuMemGetInfo_v2(&bytes, &bytes);
    }).detach();
    while (cuda_library().Calls("cuMemGetInfo_v2") == 0) std::this_thread::yield();
    std::exit(7);
  };
  EXPECT_EXIT(end_with_hung_calls(), testing::ExitedWithCode(7), "");
}

TEST_F(FakeScript, FollowsTheFileThatTheEnvironmentNames) {
  WriteScriptFile("gpu 0 memory 32\nfail cuMemAlloc_v2 2\n");
  Enter();
  EXPECT_EQ(TryToAllocate(), 2);
  WriteScriptFile("");
  EXPECT_EQ(TryToAllocate(), 0);
  EXPECT_EQ(TryToAllocate(), 0);
  EXPECT_EQ(TryToAllocate(), 2);  // 32 bytes are full: the devices are those of cuInit
}

TEST_F(FakeScript, EndsTheProcessWhenALineMeansNothing) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  const std::vector<std::pair<const char*, const char*>> cases = {
      {"\nbreak cuInit\n", "line 2 of the script, 'break cuInit': 'break' means nothing"},
      {"fail cuMemAloc 2\n", "no function 'cuMemAloc'"},
      {"fail cuMemAlloc_v2\n", "something is missing at its end"},
      {"fail cuMemAlloc_v2 2 before 3\n", "'before' is not known of a fault"},
      {"delay cuInit 5\n", "'5' is not such a number"},
      {"gpu 1 memory 1MiB\n", "there is no such GPU"},
      {"gpu 0 uuid GPU-1\n", "'GPU-1' is not like"},
      {"nvml 0 humidity 3\n", "'humidity' is not known of NVML"},
      {"corrupt cuLaunchKernel\n", "leaves no such work to a stream"},
      {"async-hang cuInit\n", "leaves no such work to a stream"},
      {"gpus 1 2\n", "'2' is too much"},
  };
  for (const auto& [text, message] : cases) EXPECT_DEATH(cuda_library().SetScript(text), message) << text;
}

}  // namespace
}  // namespace penstock::fake_driver
