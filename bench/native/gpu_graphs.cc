// Runs a model with one input on the first GPU, one row at a time, without and with CUDA graphs, and compares answers and times.
// Prints one JSON object; ends with 0 when graphs were recorded and every answer is that of the run without.
// Usage: gpu_graphs ORT_LIBRARY MODEL OPEN_DIM RUNS
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "device/gpus.h"
#include "model_input.h"
#include "session/ort_environment.h"

using namespace penstock;  // NOLINT: a program of one page

namespace {

constexpr int kDifferent = 8;    // inputs; a graph that went on using the first would be found out
constexpr int kWarmUp = 20;      // runs; the first records
constexpr double kTolerance = 1e-3;  // of the largest value: kernels may be picked anew for the second session

int Fail(const Status& status) {
  std::fprintf(stderr, "gpu_graphs: %s\n", status.message().c_str());
  return 70;
}

struct Contender {
  std::shared_ptr<session::Session> session;
  std::unique_ptr<session::RunControl> lane;
  std::vector<double> times_us;

  Status Open(session::SessionOptions options, bool graphs) {
    options.cuda.graphs = graphs;
    Result<std::shared_ptr<session::Session>> opened = session::OpenOrtSession(options);
    if (!opened.ok()) return opened.status();
    session = std::move(opened).value();
    lane = session->NewLaneControl();
    return Status::Ok();
  }
  Status Run(const session::Tensor& input, std::vector<session::Tensor>* results) {
    std::vector<size_t> outputs;
    for (size_t i = 0; i < session->signature().outputs.size(); ++i) outputs.push_back(i);
    const int64_t begin_ns = MonotonicNs();
    const Status status = session->Run({input}, outputs, *lane, results);
    times_us.push_back(static_cast<double>(MonotonicNs() - begin_ns) / 1e3);
    return status;
  }
  double Median() {
    const auto middle = times_us.begin() + static_cast<std::ptrdiff_t>(times_us.size() / 2);
    std::nth_element(times_us.begin(), middle, times_us.end());
    return *middle;
  }
};

// Of FP32 outputs, relative to the largest value; infinite where they are not alike at all. Others must have the same bytes.
double Difference(const std::vector<session::Tensor>& expected, const std::vector<session::Tensor>& found) {
  double worst = 0;
  for (size_t i = 0; i < expected.size(); ++i) {
    if (expected[i].dims != found[i].dims || expected[i].bytes.size != found[i].bytes.size) return INFINITY;
    const uint8_t* const a = expected[i].bytes.data;
    const uint8_t* const b = found[i].bytes.data;
    if (std::memcmp(a, b, expected[i].bytes.size) == 0) continue;
    if (expected[i].dtype != DataType::kFp32) return INFINITY;
    double largest = 0;
    double error = 0;
    for (size_t at = 0; at < expected[i].bytes.size; at += sizeof(float)) {
      float x = 0;
      float y = 0;
      std::memcpy(&x, a + at, sizeof x);
      std::memcpy(&y, b + at, sizeof y);
      if (!std::isfinite(y)) return INFINITY;
      largest = std::max(largest, std::fabs(static_cast<double>(x)));
      error = std::max(error, std::fabs(static_cast<double>(x) - y));
    }
    worst = std::max(worst, largest > 0 ? error / largest : INFINITY);
  }
  return worst;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) {
    std::fprintf(stderr, "usage: gpu_graphs ORT_LIBRARY MODEL OPEN_DIM RUNS\n");
    return 64;
  }
  const int runs = std::max(1, std::atoi(argv[4]));
  if (const Status started = session::StartOrt({argv[1], 1}); !started.ok()) return Fail(started);
  const device::Gpus gpus = device::FindGpus({});
  if (gpus.list.empty()) return Fail(Status(StatusCode::kGpuUnavailable, "no GPU can be used: " + gpus.why_none.text));
  session::SessionOptions options;
  options.model_path = argv[2];
  options.gpus = {gpus.list.front()};
  Contender without;
  Contender with;
  if (const Status status = without.Open(options, false); !status.ok()) return Fail(status);
  if (const Status status = with.Open(options, true); !status.ok()) return Fail(status);

  std::vector<session::Tensor> inputs;
  for (int i = 0; i < kDifferent; ++i) {
    auto input = bench::MakeInput(without.session->signature().inputs[0], 1, std::max(1, std::atoi(argv[3])));
    if (!input.ok()) return Fail(input.status());
    inputs.push_back(std::move(input).value());
    auto* const bytes = const_cast<uint8_t*>(inputs.back().bytes.data);
    for (size_t at = 0; inputs.back().dtype == DataType::kFp32 && at + sizeof(float) <= inputs.back().bytes.size; at += sizeof(float)) {
      float value = 0;
      std::memcpy(&value, bytes + at, sizeof value);
      value *= static_cast<float>(i + 1) / kDifferent;
      std::memcpy(bytes + at, &value, sizeof value);
    }
  }
  double worst = 0;
  for (int i = 0; i < kWarmUp + runs; ++i) {
    if (i == kWarmUp) without.times_us.clear(), with.times_us.clear();
    const session::Tensor& input = inputs[static_cast<size_t>(i % kDifferent)];
    std::vector<session::Tensor> expected;
    std::vector<session::Tensor> found;
    if (const Status status = without.Run(input, &expected); !status.ok()) return Fail(status);
    if (const Status status = with.Run(input, &found); !status.ok()) return Fail(status);
    worst = std::max(worst, Difference(expected, found));
  }
  const std::vector<std::string> notes = with.session->notes();
  for (const std::string& note : notes) std::fprintf(stderr, "gpu_graphs: %s\n", note.c_str());
  const bool ok = notes.empty() && worst <= kTolerance;
  std::printf("{\"withoutUs\":%.3f,\"withUs\":%.3f,\"runs\":%d,\"largestDifference\":%g,\"recorded\":%s}\n", without.Median(),
              with.Median(), runs, std::isfinite(worst) ? worst : 1e9, notes.empty() ? "true" : "false");
  return ok ? 0 : 1;
}
