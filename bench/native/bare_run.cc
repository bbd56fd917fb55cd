// Runs a model with one input in a plain loop, nothing around it, and prints the median time of a run, rows, wall time and CPU time.
// Usage: bare_run ORT_LIBRARY MODEL THREADS BATCH SECONDS [OPEN_DIM LOOPS]
//
// With the last two it runs on the first GPU: so many loops side by side over one session, inputs and outputs in page-locked memory and
// copied for every run, symbolic dimensions beyond the batch OPEN_DIM long.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <memory>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "device/gpus.h"
#include "memory/driver_page_locker.h"
#include "memory/pinned_arena.h"
#include "model_input.h"
#include "session/ort_environment.h"

using namespace penstock;  // NOLINT: a program of one page

namespace {

// CPU time of all threads of this process.
int64_t CpuNs() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<int64_t>(now.tv_sec) * 1'000'000'000 + now.tv_nsec;
}

int Fail(const Status& status) {
  std::fprintf(stderr, "%s\n", status.message().c_str());
  return 70;
}

// One loop: its times after a tenth of `duration_ns` to warm up.
struct Loop {
  std::vector<double> times_us;
  int64_t begin_ns = 0;
  int64_t end_ns = 0;
  int64_t begin_cpu_ns = 0;
  Status status;

  void Run(const session::Session& model, const session::Tensor& input, int64_t duration_ns) {
    std::vector<size_t> outputs;
    for (size_t i = 0; i < model.signature().outputs.size(); ++i) outputs.push_back(i);
    const std::vector<session::Tensor> inputs = {input};
    const auto control = model.NewRunControl();
    bool warm = false;
    end_ns = MonotonicNs();
    begin_ns = end_ns + duration_ns / 10;
    while (times_us.empty() || end_ns - begin_ns < duration_ns) {
      if (!warm && end_ns >= begin_ns) {
        warm = true;
        begin_ns = end_ns;
        begin_cpu_ns = CpuNs();
      }
      std::vector<session::Tensor> results;
      const int64_t start_ns = end_ns;
      status = model.Run(inputs, outputs, *control, &results);
      if (!status.ok()) return;
      end_ns = MonotonicNs();
      if (warm) times_us.push_back(static_cast<double>(end_ns - start_ns) / 1e3);
    }
  }
};

Status UseFirstGpu(session::SessionOptions* options) {
  const device::Gpus gpus = device::FindGpus({});
  if (gpus.list.empty()) return Status(StatusCode::kGpuUnavailable, "no GPU can be used: " + gpus.why_none.text);
  options->gpus = {gpus.list.front()};
  options->cuda.pinned = memory::PinnedArena::Create(std::make_shared<memory::DriverPageLocker>(gpus.list.front()), {2ull << 30, 64u << 20});
  return Status::Ok();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 6 && argc != 8) {
    std::fprintf(stderr, "usage: bare_run ORT_LIBRARY MODEL THREADS BATCH SECONDS [OPEN_DIM LOOPS]\n");
    return 64;
  }
  const bool on_gpu = argc == 8;
  const int64_t batch = std::max(1, std::atoi(argv[4]));
  const int64_t duration_ns = static_cast<int64_t>(std::atof(argv[5]) * 1e9);
  const int64_t open_dim = on_gpu ? std::max(1, std::atoi(argv[6])) : 1;
  std::vector<Loop> loops(on_gpu ? static_cast<size_t>(std::max(1, std::atoi(argv[7]))) : 1);
  session::OrtOptions ort;
  ort.library_path = argv[1];
  ort.intra_op_threads = std::max(1, std::atoi(argv[3]));
  const Status started = session::StartOrt(ort);
  if (!started.ok()) return Fail(started);
  session::SessionOptions options;
  options.model_path = argv[2];
  if (on_gpu) {
    const Status found = UseFirstGpu(&options);
    if (!found.ok()) return Fail(found);
  }
  const auto opened = session::OpenOrtSession(options);
  if (!opened.ok()) return Fail(opened.status());
  const session::Session& model = *opened.value();
  const auto input = bench::MakeInput(model.signature().inputs[0], batch, open_dim, model.input_memory());
  if (!input.ok()) return Fail(input.status());

  std::vector<std::thread> others;
  for (size_t i = 1; i < loops.size(); ++i) others.emplace_back([&, i] { loops[i].Run(model, input.value(), duration_ns); });
  loops[0].Run(model, input.value(), duration_ns);
  for (std::thread& other : others) other.join();

  std::vector<double> times_us;
  double rows_per_s = 0;
  for (const Loop& loop : loops) {
    if (!loop.status.ok()) return Fail(loop.status);
    times_us.insert(times_us.end(), loop.times_us.begin(), loop.times_us.end());
    rows_per_s += static_cast<double>(loop.times_us.size()) * static_cast<double>(batch) * 1e9 /
                  static_cast<double>(loop.end_ns - loop.begin_ns);
  }
  const double wall_s = static_cast<double>(loops[0].end_ns - loops[0].begin_ns) / 1e9;
  const double cpu_s = static_cast<double>(CpuNs() - loops[0].begin_cpu_ns) / 1e9;
  const size_t runs = times_us.size();
  const auto middle = times_us.begin() + static_cast<std::ptrdiff_t>(runs / 2);
  std::nth_element(times_us.begin(), middle, times_us.end());
  std::printf("{\"medianUs\":%.3f,\"rows\":%lld,\"wallS\":%.6f,\"cpuS\":%.6f,\"rowsPerS\":%.3f}\n", *middle,
              static_cast<long long>(runs) * static_cast<long long>(batch), wall_s, cpu_s, rows_per_s);
  return 0;
}
