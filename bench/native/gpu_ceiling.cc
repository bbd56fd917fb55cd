// What the link to a GPU and its driver allow at best: copies by size, from page-locked and from ordinary memory, and the cost of launching
// a kernel and a graph of kernels; and a batch of small rows, joined and copied before it is converted against gathered by the kernel.
// Prints one JSON object.
// Usage: gpu_ceiling [GPU]   (index or UUID; the first one when none is given)
#include <dlfcn.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "device/gpus.h"
#include "device/kernels.h"
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

// Batches of UINT8 rows that lie apart in `mapped`, which the device reads at `mapped_device`, to floats on the device: as a lane does it
// that joins them, and as the kernel does it that reads them over the bus. Both with all their waiting. Empty in a build without kernels.
void PrintGathers(const std::shared_ptr<Gpu>& gpu, Stream* stream, DevicePointer device, uint8_t* mapped, DevicePointer mapped_device) {
  std::printf(",\"gathers\":[");
  const Result<std::shared_ptr<const Kernels>> loaded = Kernels::Load(gpu);
  if (loaded.status().code() != StatusCode::kGpuUnavailable) {
    Need(loaded.status());
    const Kernels& kernels = *loaded.value();
    InputConversion conversion;
    conversion.scale = {0.0171f, 0.0175f, 0.0174f};
    conversion.offset = {-2.12f, -2.04f, -1.8f};
    conversion.inner = 1024;
    const Result<PreparedConversion> prepared = kernels.Prepare(stream, conversion);
    Need(prepared.status());
    // Of the 64 MiB on either side: rows in the first half, twice their size apart; joined behind them, and their table behind that.
    constexpr size_t kRows = 64;
    constexpr size_t kJoined = kLargest / 2;
    constexpr size_t kTable = kLargest - (1u << 20);
    const char* comma = "";
    for (const size_t row : {size_t{1024}, size_t{4096}, size_t{16384}, size_t{65536}, size_t{131072}}) {
      for (const size_t rows : {size_t{4}, size_t{16}, kRows}) {
        std::vector<GatherRow> table;
        for (size_t i = 0; i < rows; ++i) table.push_back({mapped_device + i * 2 * row, row});
        const double joined_ns = MedianNs([&] {
          for (size_t i = 0; i < rows; ++i) std::memcpy(mapped + kJoined + i * row, mapped + i * 2 * row, row);
          Need(stream->CopyIn(device + kJoined, mapped + kJoined, rows * row));
          Need(kernels.ConvertInput(stream, prepared.value(), device + kJoined, rows * row, device));
          Need(stream->Synchronize());
        });
        const double gathered_ns = MedianNs([&] {
          Need(stream->CopyIn(device + kTable, table.data(), table.size() * sizeof(GatherRow)));
          Need(kernels.GatherRows(stream, prepared.value(), device + kTable, rows, {row, 1, 0}, device));
          Need(stream->Synchronize());
        });
        std::printf("%s{\"rowBytes\":%zu,\"rows\":%zu,\"joinedUs\":%.3f,\"gatheredUs\":%.3f}", comma, row, rows, joined_ns / 1e3,
                    gathered_ns / 1e3);
        comma = ",";
      }
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
  DevicePointer mapped = 0;
  constexpr unsigned kFlags = kCudaHostAllocPortable | kCudaHostAllocDeviceMap;
  Need(gpu->Check("cuMemHostAlloc", gpu->driver().cuda().cuMemHostAlloc(&pinned, kLargest, kFlags)));
  Need(gpu->Check("cuMemHostGetDevicePointer_v2", gpu->driver().cuda().cuMemHostGetDevicePointer_v2(&mapped, pinned, 0)));
  std::vector<uint8_t> pageable(kLargest, 1);

  const GpuInfo& info = gpu->info();
  std::printf("{\"gpu\":{\"name\":\"%s\",\"uuid\":\"%s\",\"memoryBytes\":%llu,\"computeCapability\":\"%d.%d\",\"driver\":\"%s\"},",
              info.name.c_str(), info.uuid.c_str(), static_cast<unsigned long long>(info.total_bytes), info.compute_major,
              info.compute_minor, gpus.driver_version.c_str());
  PrintCopies(stream.value().get(), device.value().data(), static_cast<uint8_t*>(pinned), pageable.data());
  PrintGathers(gpu, stream.value().get(), device.value().data(), static_cast<uint8_t*>(pinned), mapped);
  PrintLaunches(*gpu, stream.value().get());
  std::printf("}\n");
  return 0;
}
