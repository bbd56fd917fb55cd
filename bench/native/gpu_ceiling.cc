// What the link to a GPU and its driver allow at best: copies by size, from page-locked and from ordinary memory, and the cost of launching
// a kernel and a graph of kernels. Prints one JSON object.
// Usage: gpu_ceiling [GPU]   (index or UUID; the first one when none is given)
#include <dlfcn.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "device/gpus.h"
#include "device/stream.h"
#include "gpu_kernels.h"

using namespace penstock;          // NOLINT: a program of one page
using namespace penstock::device;  // NOLINT

namespace {

constexpr size_t kLargest = 64u << 20;
constexpr int kRounds = 7;
constexpr int64_t kRoundNs = 20'000'000;

[[noreturn]] void Fail(const std::string& why) {
  std::fprintf(stderr, "gpu_ceiling: %s\n", why.c_str());
  std::exit(70);
}
void Need(const Status& status) {
  if (!status.ok()) Fail(status.message());
}

// Nanoseconds of one call of `work`, median over rounds that are long enough to read the clock beside; `work` includes its waiting.
double MedianNs(const std::function<void()>& work) {
  work();
  std::vector<double> rounds;
  for (int round = 0; round < kRounds; ++round) {
    int64_t calls = 0;
    const int64_t begin_ns = MonotonicNs();
    int64_t now_ns = begin_ns;
    for (; now_ns - begin_ns < kRoundNs; now_ns = MonotonicNs()) {
      work();
      ++calls;
    }
    rounds.push_back(static_cast<double>(now_ns - begin_ns) / static_cast<double>(calls));
  }
  std::nth_element(rounds.begin(), rounds.begin() + kRounds / 2, rounds.end());
  return rounds[kRounds / 2];
}

void PrintCopies(Stream* stream, DevicePointer device, uint8_t* pinned, uint8_t* pageable) {
  const char* comma = "";
  std::printf("\"copies\":[");
  for (size_t bytes = 4096; bytes <= kLargest; bytes *= 4) {
    for (uint8_t* host : {pinned, pageable}) {
      const double in_ns = MedianNs([&] {
        Need(stream->CopyIn(device, host, bytes));
        Need(stream->Synchronize());
      });
      const double out_ns = MedianNs([&] {
        Need(stream->CopyOut(host, device, bytes));
        Need(stream->Synchronize());
      });
      std::printf("%s{\"bytes\":%zu,\"memory\":\"%s\",\"toDeviceGBPerS\":%.3f,\"toHostGBPerS\":%.3f}", comma, bytes,
                  host == pinned ? "pinned" : "pageable", static_cast<double>(bytes) / in_ns, static_cast<double>(bytes) / out_ns);
      comma = ",";
    }
  }
  std::printf("]");
}

// The driver's graph calls, which the server does not use.
struct GraphCalls {
  int (*begin)(CudaStream, int mode);
  int (*end)(CudaStream, void** graph);
  int (*instantiate)(void** executable, void* graph, unsigned long long flags);
  int (*launch)(void* executable, CudaStream);
};

template <typename F>
void Bind(void* library, const char* name, F* function) {
  *function = reinterpret_cast<F>(dlsym(library, name));
  if (*function == nullptr) Fail(std::string("the driver has no ") + name);
}

void PrintLaunches(const Gpu& gpu, Stream* stream) {
  const CudaFunctions& cuda = gpu.driver().cuda();
  CudaModule module = nullptr;
  CudaFunction empty = nullptr;
  Need(gpu.Check("cuModuleLoadData", cuda.cuModuleLoadData(&module, bench::kKernels)));
  Need(gpu.Check("cuModuleGetFunction", cuda.cuModuleGetFunction(&empty, module, "empty")));
  const auto launch = [&] {
    Need(gpu.Check("cuLaunchKernel", cuda.cuLaunchKernel(empty, 1, 1, 1, 1, 1, 1, 0, stream->handle(), nullptr, nullptr)));
  };
  const double alone_ns = MedianNs([&] {
    launch();
    Need(stream->Synchronize());
  });
  std::printf(",\"launchAndWaitUs\":%.3f,\"graphs\":[", alone_ns / 1e3);

  void* library = dlopen("libcuda.so.1", RTLD_NOW);
  if (library == nullptr) Fail("libcuda.so.1 cannot be opened");
  GraphCalls calls{};
  Bind(library, "cuStreamBeginCapture_v2", &calls.begin);
  Bind(library, "cuStreamEndCapture", &calls.end);
  Bind(library, "cuGraphInstantiateWithFlags", &calls.instantiate);
  Bind(library, "cuGraphLaunch", &calls.launch);
  const char* comma = "";
  for (const int kernels : {1, 10, 100, 1000}) {
    void* graph = nullptr;
    void* executable = nullptr;
    Need(gpu.Check("cuStreamBeginCapture_v2", calls.begin(stream->handle(), 0)));
    for (int i = 0; i < kernels; ++i) launch();
    Need(gpu.Check("cuStreamEndCapture", calls.end(stream->handle(), &graph)));
    Need(gpu.Check("cuGraphInstantiateWithFlags", calls.instantiate(&executable, graph, 0)));
    const double graph_ns = MedianNs([&] {
      Need(gpu.Check("cuGraphLaunch", calls.launch(executable, stream->handle())));
      Need(stream->Synchronize());
    });
    const double plain_ns = MedianNs([&] {
      for (int i = 0; i < kernels; ++i) launch();
      Need(stream->Synchronize());
    });
    std::printf("%s{\"kernels\":%d,\"graphUs\":%.3f,\"oneByOneUs\":%.3f}", comma, kernels, graph_ns / 1e3, plain_ns / 1e3);
    comma = ",";
  }
  std::printf("]");
}

}  // namespace

int main(int argc, char** argv) {
  const Gpus gpus = FindGpus({});
  const std::shared_ptr<Gpu> gpu = FindGpu(gpus, argc > 1 ? argv[1] : "0");
  if (gpu == nullptr) Fail(gpus.list.empty() ? "no GPU can be used: " + gpus.why_none.text : "there is no such GPU");
  Need(gpu->Enter());
  Result<std::unique_ptr<Stream>> stream = Stream::Create(gpu);
  Need(stream.status());
  Result<DeviceBuffer> device = DeviceBuffer::Allocate(gpu, kLargest);
  Need(device.status());
  void* pinned = nullptr;
  Need(gpu->Check("cuMemHostAlloc", gpu->driver().cuda().cuMemHostAlloc(&pinned, kLargest, kCudaHostAllocPortable)));
  std::vector<uint8_t> pageable(kLargest, 1);

  const GpuInfo& info = gpu->info();
  std::printf("{\"gpu\":{\"name\":\"%s\",\"uuid\":\"%s\",\"memoryBytes\":%llu,\"computeCapability\":\"%d.%d\",\"driver\":\"%s\"},",
              info.name.c_str(), info.uuid.c_str(), static_cast<unsigned long long>(info.total_bytes), info.compute_major,
              info.compute_minor, gpus.driver_version.c_str());
  PrintCopies(stream.value().get(), device.value().data(), static_cast<uint8_t*>(pinned), pageable.data());
  PrintLaunches(*gpu, stream.value().get());
  std::printf("}\n");
  return 0;
}
