#include <chrono>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "loaded_driver.h"

namespace penstock::fake_driver {
namespace {

using device::CudaContext;
using device::CudaFunction;
using device::CudaModule;
using device::CudaPointer;
using device::CudaStream;

class FakeCuda : public FakeDriverTest {};

TEST_F(FakeCuda, RefusesWhatComesBeforeCuInitAndBeforeAContext) {
  int count = 0;
  CudaPointer pointer = 0;
  EXPECT_EQ(cuda.cuDeviceGetCount(&count), 3);
  EXPECT_EQ(cuda.cuMemAlloc_v2(&pointer, 16), 3);
  ASSERT_EQ(cuda.cuInit(0), 0);
  EXPECT_EQ(cuda.cuMemAlloc_v2(&pointer, 16), 201);
  Enter();
  std::thread([&] { EXPECT_EQ(cuda.cuMemAlloc_v2(&pointer, 16), 201); }).join();
  EXPECT_EQ(cuda.cuMemAlloc_v2(&pointer, 16), 0);
}

TEST_F(FakeCuda, DescribesTheDevicesOfTheScript) {
  SetScript(
      "gpus 2\n"
      "gpu 1 uuid GPU-00112233-4455-6677-8899-aabbccddeeff memory 16MiB compute 9.0 name \"Fake H100\" pci 0000:17:00.0  # the second\n"
      "driver 13000\n");
  ASSERT_EQ(cuda.cuInit(0), 0);
  int number = 0;
  ASSERT_EQ(cuda.cuDriverGetVersion(&number), 0);
  EXPECT_EQ(number, 13000);
  ASSERT_EQ(cuda.cuDeviceGetCount(&number), 0);
  EXPECT_EQ(number, 2);
  char text[64];
  ASSERT_EQ(cuda.cuDeviceGetName(text, sizeof(text), 1), 0);
  EXPECT_STREQ(text, "Fake H100");
  ASSERT_EQ(cuda.cuDeviceGetPCIBusId(text, sizeof(text), 1), 0);
  EXPECT_STREQ(text, "0000:17:00.0");
  device::CudaUuid uuid{};
  ASSERT_EQ(cuda.cuDeviceGetUuid_v2(&uuid, 1), 0);
  for (int each = 0; each < 16; ++each) EXPECT_EQ(uuid.bytes[each], each * 0x11);
  size_t bytes = 0;
  ASSERT_EQ(cuda.cuDeviceTotalMem_v2(&bytes, 1), 0);
  EXPECT_EQ(bytes, 16u << 20);
  ASSERT_EQ(cuda.cuDeviceGetAttribute(&number, device::kCudaComputeMajor, 1), 0);
  EXPECT_EQ(number, 9);
  EXPECT_EQ(cuda.cuDeviceGetName(text, sizeof(text), 2), 101);
}

TEST_F(FakeCuda, ShowsTheDevicesThatTheEnvironmentNames) {
  struct Case {
    const char* visible;
    std::vector<std::string> names;  // none: cuInit finds no device
  };
  const std::vector<Case> cases = {{"1", {"b"}},      {"2,0", {"c", "a"}}, {"0,9,1", {"a"}},
                                   {"GPU-bb", {"b"}}, {"GPU-", {}},        {"", {}},
                                   {"-1", {}},        {"1,1", {"b"}},      {"GPU-cc,GPU-aa", {"c", "a"}}};
  for (const Case& each : cases) {
    cuda_library().Reset();
    SetScript(
        "gpus 3\n"
        "gpu 0 name a uuid GPU-aa000000-0000-0000-0000-000000000000\n"
        "gpu 1 name b uuid GPU-bb000000-0000-0000-0000-000000000000\n"
        "gpu 2 name c uuid GPU-cc000000-0000-0000-0000-000000000000\n");
    setenv("CUDA_VISIBLE_DEVICES", each.visible, 1);
    EXPECT_EQ(cuda.cuInit(0), each.names.empty() ? 100 : 0) << each.visible;
    if (each.names.empty()) continue;
    int count = 0;
    ASSERT_EQ(cuda.cuDeviceGetCount(&count), 0);
    ASSERT_EQ(static_cast<size_t>(count), each.names.size()) << each.visible;
    for (int device = 0; device < count; ++device) {
      char name[8];
      ASSERT_EQ(cuda.cuDeviceGetName(name, sizeof(name), device), 0);
      EXPECT_EQ(name, each.names[static_cast<size_t>(device)]) << each.visible;
    }
  }
}

TEST_F(FakeCuda, ShowsOneMigDeviceAndNothingBesideIt) {
  SetScript("gpus 2\ngpu 1 memory 8MiB mig 2\nmig 1 1 uuid MIG-00112233-4455-6677-8899-aabbccddeeff memory 3MiB\n");
  setenv("CUDA_VISIBLE_DEVICES", "MIG-0011", 1);
  Enter();
  int count = 0;
  ASSERT_EQ(cuda.cuDeviceGetCount(&count), 0);
  EXPECT_EQ(count, 1);
  device::CudaUuid uuid{};
  ASSERT_EQ(cuda.cuDeviceGetUuid_v2(&uuid, 0), 0);
  EXPECT_EQ(uuid.bytes[15], 0xff);
  size_t free_bytes = 0;
  size_t total_bytes = 0;
  ASSERT_EQ(cuda.cuMemGetInfo_v2(&free_bytes, &total_bytes), 0);
  EXPECT_EQ(total_bytes, 3u << 20);
  cuda_library().Reset();
  SetScript("gpus 2\ngpu 1 mig 2\n");
  unsetenv("CUDA_VISIBLE_DEVICES");
  Enter();
  ASSERT_EQ(cuda.cuDeviceGetCount(&count), 0);
  EXPECT_EQ(count, 1);
}

TEST_F(FakeCuda, CountsMemoryToTheByte) {
  SetScript("gpus 2\ngpu 0 memory 1MiB\n");
  Enter(1);
  Enter(0);
  const CudaPointer first = Allocate(1000);
  const CudaPointer rest = Allocate((1 << 20) - 1000);
  CudaPointer none = 0;
  EXPECT_EQ(cuda.cuMemAlloc_v2(&none, 1), 2);
  EXPECT_EQ(cuda.cuMemAlloc_v2(&none, 0), 1);
  EXPECT_EQ(DeviceBytes(0), 1u << 20);
  EXPECT_EQ(DeviceBytes(1), 0u);
  EXPECT_EQ(cuda.cuMemFree_v2(first), 0);
  EXPECT_EQ(cuda.cuMemFree_v2(first), 1);
  EXPECT_EQ(cuda.cuMemFree_v2(rest + 1), 1);
  size_t free_bytes = 0;
  size_t total_bytes = 0;
  ASSERT_EQ(cuda.cuMemGetInfo_v2(&free_bytes, &total_bytes), 0);
  EXPECT_EQ(free_bytes, 1000u);
  SetScript("gpus 2\ngpu 0 used-by-others 600\n");
  ASSERT_EQ(cuda.cuMemGetInfo_v2(&free_bytes, &total_bytes), 0);
  EXPECT_EQ(free_bytes, 400u);
  EXPECT_EQ(cuda.cuMemAlloc_v2(&none, 401), 2);
  void* host = AllocateHost(300);
  EXPECT_EQ(HostBytes(), 300u);
  EXPECT_EQ(cuda.cuMemFreeHost(host), 0);
  EXPECT_EQ(cuda.cuMemFreeHost(host), 1);
  EXPECT_EQ(HostBytes(), 0u);
}

TEST_F(FakeCuda, FreesAContextWithItsLastRelease) {
  Enter();
  Enter();
  Allocate(100);
  const CudaStream stream = MakeStream();
  EXPECT_EQ(extra.cuDevicePrimaryCtxRelease_v2(0), 0);
  EXPECT_EQ(DeviceBytes(0), 100u);
  EXPECT_EQ(extra.cuDevicePrimaryCtxRelease_v2(0), 0);
  EXPECT_EQ(DeviceBytes(0), 0u);
  EXPECT_EQ(cuda.cuStreamQuery(stream), 201);
  EXPECT_EQ(extra.cuDevicePrimaryCtxRelease_v2(0), 201);
  Enter();
  EXPECT_EQ(cuda.cuStreamQuery(stream), 400);
}

TEST_F(FakeCuda, DoesTheWorkOfAStreamInOrderAndLater) {
  SetScript("async-hang cuMemsetD8Async times 1\n");
  Enter();
  const CudaStream stream = MakeStream();
  const CudaPointer memory = Allocate(4);
  unsigned char* out = AllocateHost(4);
  std::memset(out, 9, 4);
  EXPECT_EQ(cuda.cuMemsetD8Async(memory, 1, 4, stream), 0);
  EXPECT_EQ(cuda.cuMemcpyDtoHAsync_v2(out, memory, 4, stream), 0);
  EXPECT_EQ(cuda.cuMemsetD8Async(memory, 2, 4, stream), 0);
  EXPECT_EQ(cuda.cuStreamQuery(stream), 600);
  SetScript("");
  EXPECT_EQ(cuda.cuStreamSynchronize(stream), 0);
  EXPECT_EQ(cuda.cuStreamQuery(stream), 0);
  EXPECT_EQ(out[0], 1);
  EXPECT_EQ(cuda.cuStreamDestroy_v2(stream), 0);
  EXPECT_EQ(cuda.cuStreamQuery(stream), 400);
}

#ifdef __SANITIZE_THREAD__
TEST_F(FakeCuda, LetsThreadSanitizerSeeWhoDoesNotWait) {
  const auto change_too_early = [this] {
    Enter();
    const CudaStream stream = MakeStream();
    unsigned char* bytes = AllocateHost(1);
    EXPECT_EQ(cuda.cuMemcpyHtoDAsync_v2(Allocate(1), bytes, 1, stream), 0);
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    *bytes = 2;
    EXPECT_EQ(cuda.cuStreamSynchronize(stream), 0);
  };
  EXPECT_DEATH(change_too_early(), "data race");
}
#else
TEST_F(FakeCuda, GivesWrongDataToThoseWhoDoNotWait) {
  SetScript("async-hang cuMemcpyHtoDAsync_v2\n");
  Enter();
  const CudaStream stream = MakeStream();
  const CudaPointer memory = Allocate(1);
  unsigned char* bytes = AllocateHost(1);
  *bytes = 1;
  EXPECT_EQ(cuda.cuMemcpyHtoDAsync_v2(memory, bytes, 1, stream), 0);
  *bytes = 2;
  SetScript("");
  unsigned char arrived = 0;
  EXPECT_EQ(cuda.cuMemcpyDtoHAsync_v2(&arrived, memory, 1, stream), 0);
  EXPECT_EQ(arrived, 2);
}
#endif

TEST_F(FakeCuda, HasReadAndWrittenPageableMemoryWhenACopyReturns) {
  SetScript("delay cuMemcpyHtoDAsync_v2 20ms\n");
  Enter();
  const CudaStream stream = MakeStream();
  const CudaPointer memory = Allocate(3);
  std::vector<unsigned char> bytes{1, 2, 3};
  EXPECT_EQ(cuda.cuMemcpyHtoDAsync_v2(memory, bytes.data(), 3, stream), 0);
  bytes = {9, 9, 9};
  EXPECT_EQ(cuda.cuMemcpyDtoHAsync_v2(bytes.data(), memory, 3, stream), 0);
  EXPECT_EQ(bytes, (std::vector<unsigned char>{1, 2, 3}));
}

TEST_F(FakeCuda, RefusesMemoryThatIsNotTheDevices) {
  SetScript("gpus 2\n");
  Enter(1);
  const CudaPointer elsewhere = Allocate(8);
  Enter(0);
  const CudaPointer memory = Allocate(8);
  const CudaStream stream = MakeStream();
  unsigned char bytes[16] = {};
  EXPECT_EQ(cuda.cuMemcpyHtoDAsync_v2(memory, bytes, 9, stream), 1);
  EXPECT_EQ(cuda.cuMemcpyDtoHAsync_v2(bytes, memory + 4, 5, stream), 1);
  EXPECT_EQ(cuda.cuMemsetD8Async(elsewhere, 0, 8, stream), 1);
  EXPECT_EQ(cuda.cuMemsetD32Async(memory + 1, 0, 1, stream), 1);
  EXPECT_EQ(cuda.cuMemcpyHtoDAsync_v2(memory, bytes, 8, reinterpret_cast<CudaStream>(0x77770)), 400);
  EXPECT_EQ(cuda.cuMemsetD32Async(memory, 7, 2, stream), 0);
  EXPECT_EQ(cuda.cuStreamSynchronize(stream), 0);
}

class FakeKernels : public FakeDriverTest {
 protected:
  int Launch(CudaFunction function, CudaPointer to, uint32_t value, uint64_t count, CudaStream stream) {
    void* parameters[] = {&to, &value, &count};
    return cuda.cuLaunchKernel(function, 1, 1, 1, 32, 1, 1, 0, stream, parameters, nullptr);
  }
};

TEST_F(FakeKernels, RunOnTheStreamWithTheParametersOfTheLaunch) {
  SetScript("async-hang cuLaunchKernel\n");
  Enter();
  const CudaStream stream = MakeStream();
  CudaModule module = nullptr;
  CudaFunction function = nullptr;
  EXPECT_EQ(cuda.cuModuleLoadData(&module, nullptr), 1);
  ASSERT_EQ(cuda.cuModuleLoadData(&module, "any image"), 0);
  EXPECT_EQ(cuda.cuModuleGetFunction(&function, module, "no_such_kernel"), 500);
  ASSERT_EQ(cuda.cuModuleGetFunction(&function, module, "fake_fill_words"), 0);
  const CudaPointer memory = Allocate(12);
  EXPECT_EQ(Launch(function, memory, 77, 3, stream), 0);
  EXPECT_EQ(cuda.cuStreamQuery(stream), 600);
  SetScript("");
  uint32_t words[3] = {};
  EXPECT_EQ(cuda.cuMemcpyDtoHAsync_v2(words, memory, 12, stream), 0);
  EXPECT_EQ(words[2], 77u);
  EXPECT_EQ(cuda.cuLaunchKernel(function, 1, 1, 1, 2048, 1, 1, 0, stream, nullptr, nullptr), 1);
  EXPECT_EQ(cuda.cuModuleUnload(module), 0);
  EXPECT_EQ(Launch(function, memory, 77, 3, stream), 400);
}

TEST_F(FakeKernels, StrikeTheContextWhenTheyReachOutsideItsMemory) {
  Enter();
  const CudaStream stream = MakeStream();
  CudaModule module = nullptr;
  CudaFunction function = nullptr;
  ASSERT_EQ(cuda.cuModuleLoadData(&module, "any image"), 0);
  ASSERT_EQ(cuda.cuModuleGetFunction(&function, module, "fake_fill_words"), 0);
  EXPECT_EQ(Launch(function, Allocate(12), 77, 4, stream), 0);
  EXPECT_EQ(cuda.cuStreamSynchronize(stream), 700);
  CudaPointer pointer = 0;
  EXPECT_EQ(cuda.cuMemAlloc_v2(&pointer, 1), 700);
}

}  // namespace
}  // namespace penstock::fake_driver
