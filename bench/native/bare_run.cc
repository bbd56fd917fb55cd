// Runs a model with one FP32 input in a plain loop, nothing around it, and prints the median time of a run.
// Usage: bare_run ORT_LIBRARY MODEL THREADS RUNS
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <vector>

#include "base/checked_math.h"
#include "base/clock.h"
#include "memory/block.h"
#include "session/ort_environment.h"

using namespace penstock;  // NOLINT: a program of one page

int main(int argc, char** argv) {
  if (argc != 5) {
    std::fprintf(stderr, "usage: bare_run ORT_LIBRARY MODEL THREADS RUNS\n");
    return 64;
  }
  const int runs = std::max(1, std::atoi(argv[4]));
  session::OrtOptions ort;
  ort.library_path = argv[1];
  ort.intra_op_threads = std::max(1, std::atoi(argv[3]));
  const Status started = session::StartOrt(ort);
  session::SessionOptions options;
  options.model_path = argv[2];
  auto opened = started.ok() ? session::OpenOrtSession(options) : Result<std::shared_ptr<session::Session>>(started);
  if (!opened.ok()) {
    std::fprintf(stderr, "%s\n", opened.status().message().c_str());
    return 70;
  }
  const session::Session& model = *opened.value();

  session::Tensor input;
  input.dtype = model.signature().inputs[0].dtype;
  for (const int64_t dim : model.signature().inputs[0].dims) input.dims.push_back(dim < 0 ? 1 : dim);
  uint64_t elements = 0;
  uint64_t bytes = 0;
  if (!ElementCount(input.dims, &elements) || !CheckedMul(elements, DataTypeSize(input.dtype), &bytes)) return 70;
  auto block = memory::BlockPool::Process().Allocate(bytes);
  if (!block.ok()) return 70;
  std::fill_n(block.value()->data(), bytes, uint8_t{0});
  input.bytes = memory::WholeSlice(block.value());

  std::vector<size_t> outputs;
  for (size_t i = 0; i < model.signature().outputs.size(); ++i) outputs.push_back(i);
  const std::vector<session::Tensor> inputs = {input};
  const auto control = model.NewRunControl();
  std::vector<double> times_us;
  for (int i = -runs / 10; i < runs; ++i) {  // a tenth to warm up
    std::vector<session::Tensor> results;
    const int64_t start_ns = MonotonicNs();
    const Status status = model.Run(inputs, outputs, *control, &results);
    if (i >= 0) times_us.push_back(static_cast<double>(MonotonicNs() - start_ns) / 1e3);
    if (!status.ok()) {
      std::fprintf(stderr, "%s\n", status.message().c_str());
      return 70;
    }
  }
  std::nth_element(times_us.begin(), times_us.begin() + runs / 2, times_us.end());
  std::printf("{\"medianUs\":%.3f}\n", times_us[static_cast<size_t>(runs / 2)]);
  return 0;
}
