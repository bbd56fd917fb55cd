// Runs a model with one input in a plain loop, nothing around it, and prints the median time of a run, rows, wall time and CPU time.
// Usage: bare_run ORT_LIBRARY MODEL THREADS BATCH SECONDS
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <memory>
#include <random>
#include <vector>

#include "base/checked_math.h"
#include "base/clock.h"
#include "memory/block.h"
#include "session/ort_environment.h"

using namespace penstock;  // NOLINT: a program of one page

namespace {

// CPU time of all threads of this process.
int64_t CpuNs() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<int64_t>(now.tv_sec) * 1'000'000'000 + now.tv_nsec;
}

// Symbolic dimensions become 1, but the first one the batch. FP32 rows are random, others zeros.
Result<session::Tensor> MakeInput(const session::TensorSpec& spec, int64_t batch) {
  session::Tensor input;
  input.dtype = spec.dtype;
  for (const int64_t dim : spec.dims) input.dims.push_back(dim >= 0 ? dim : input.dims.empty() ? batch : 1);
  uint64_t elements = 0;
  uint64_t bytes = 0;
  if (!ElementCount(input.dims, &elements) || !CheckedMul(elements, DataTypeSize(input.dtype), &bytes)) {
    return Status(StatusCode::kMemory, "the batch is too large");
  }
  auto block = memory::BlockPool::Process().Allocate(bytes);
  if (!block.ok()) return block.status();
  std::fill_n(block.value()->data(), bytes, uint8_t{0});
  std::mt19937 random(1);
  for (uint64_t i = 0; input.dtype == DataType::kFp32 && i < elements; ++i) {
    const float value = static_cast<float>(random()) / 4294967296.0F;
    std::memcpy(block.value()->data() + i * sizeof value, &value, sizeof value);
  }
  input.bytes = memory::WholeSlice(block.value());
  return input;
}

int Fail(const Status& status) {
  std::fprintf(stderr, "%s\n", status.message().c_str());
  return 70;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 6) {
    std::fprintf(stderr, "usage: bare_run ORT_LIBRARY MODEL THREADS BATCH SECONDS\n");
    return 64;
  }
  const int64_t batch = std::max(1, std::atoi(argv[4]));
  const int64_t duration_ns = static_cast<int64_t>(std::atof(argv[5]) * 1e9);
  session::OrtOptions ort;
  ort.library_path = argv[1];
  ort.intra_op_threads = std::max(1, std::atoi(argv[3]));
  const Status started = session::StartOrt(ort);
  if (!started.ok()) return Fail(started);
  session::SessionOptions options;
  options.model_path = argv[2];
  const auto opened = session::OpenOrtSession(options);
  if (!opened.ok()) return Fail(opened.status());
  const session::Session& model = *opened.value();
  const auto input = MakeInput(model.signature().inputs[0], batch);
  if (!input.ok()) return Fail(input.status());

  std::vector<size_t> outputs;
  for (size_t i = 0; i < model.signature().outputs.size(); ++i) outputs.push_back(i);
  const std::vector<session::Tensor> inputs = {input.value()};
  const auto control = model.NewRunControl();
  std::vector<double> times_us;
  int64_t begin_ns = MonotonicNs() + duration_ns / 10;  // a tenth to warm up
  int64_t begin_cpu_ns = 0;
  bool warm = false;
  int64_t now_ns = MonotonicNs();
  while (times_us.empty() || now_ns - begin_ns < duration_ns) {
    if (!warm && now_ns >= begin_ns) {
      warm = true;
      begin_ns = now_ns;
      begin_cpu_ns = CpuNs();
    }
    std::vector<session::Tensor> results;
    const int64_t start_ns = now_ns;
    const Status status = model.Run(inputs, outputs, *control, &results);
    if (!status.ok()) return Fail(status);
    now_ns = MonotonicNs();
    if (warm) times_us.push_back(static_cast<double>(now_ns - start_ns) / 1e3);
  }
  const double wall_s = static_cast<double>(now_ns - begin_ns) / 1e9;
  const double cpu_s = static_cast<double>(CpuNs() - begin_cpu_ns) / 1e9;
  const size_t runs = times_us.size();
  const auto middle = times_us.begin() + static_cast<std::ptrdiff_t>(runs / 2);
  std::nth_element(times_us.begin(), middle, times_us.end());
  std::printf("{\"medianUs\":%.3f,\"rows\":%lld,\"wallS\":%.6f,\"cpuS\":%.6f}\n", *middle,
              static_cast<long long>(runs) * static_cast<long long>(batch), wall_s, cpu_s);
  return 0;
}
