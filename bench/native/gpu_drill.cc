// Real failures of a real GPU, each in a process of its own: what ONNX Runtime says, what the driver says, and what a session makes of it.
// Prints one JSON object for each step; ends with 0 when every step ended as it should.
// Usage: gpu_drill oom|illegal-address|hang|cycles ORT_LIBRARY MODEL BATCH
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "device/gpus.h"
#include "device/stream.h"
#include "gpu_kernels.h"
#include "model_input.h"
#include "session/ort_environment.h"

using namespace penstock;          // NOLINT: a program of one page
using namespace penstock::device;  // NOLINT

namespace {

[[noreturn]] void Fail(const std::string& why) {
  std::fprintf(stderr, "gpu_drill: %s\n", why.c_str());
  std::exit(70);
}
void Need(const Status& status) {
  if (!status.ok()) Fail(status.message());
}

std::string Escaped(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
  }
  return out;
}

// A step that should have ended with `expected`.
void Expect(const char* step, const Status& status, StatusCode expected) {
  const bool as_expected = status.code() == expected;
  std::printf("{\"step\":\"%s\",\"code\":\"%s\",\"message\":\"%s\",\"asExpected\":%s}\n", step, StatusCodeName(status.code()),
              Escaped(status.message()).c_str(), as_expected ? "true" : "false");
  std::fflush(stdout);
  // No destructors: they would call a driver whose context is gone.
  if (!as_expected) std::_Exit(1);
}

struct Drill {
  std::shared_ptr<Gpu> gpu;
  session::SessionOptions options;
  std::shared_ptr<session::Session> model;
  int64_t batch = 1;

  Status Run(int64_t rows) const {
    const auto input = bench::MakeInput(model->signature().inputs[0], rows);
    if (!input.ok()) return input.status();
    std::vector<size_t> outputs;
    for (size_t i = 0; i < model->signature().outputs.size(); ++i) outputs.push_back(i);
    const auto control = model->NewRunControl();
    std::vector<session::Tensor> results;
    return model->Run({input.value()}, outputs, *control, &results);
  }

  CudaFunction Kernel(const char* name) const {
    const CudaFunctions& cuda = gpu->driver().cuda();
    Need(gpu->Enter());
    CudaModule module = nullptr;
    CudaFunction function = nullptr;
    Need(gpu->Check("cuModuleLoadData", cuda.cuModuleLoadData(&module, bench::kKernels)));
    Need(gpu->Check("cuModuleGetFunction", cuda.cuModuleGetFunction(&function, module, name)));
    return function;
  }
};

// Somebody else takes nearly all memory; a batch then fails, and the next one, with the memory back, succeeds.
void OutOfMemory(Drill& drill) {
  Expect("a row before", drill.Run(1), StatusCode::kOk);
  Need(drill.gpu->Enter());
  std::vector<DeviceBuffer> hog;
  for (size_t size = 1u << 30; size >= (1u << 20);) {
    Result<DeviceBuffer> piece = DeviceBuffer::Allocate(drill.gpu, size);
    if (piece.ok()) {
      hog.push_back(std::move(piece).value());
    } else {
      size /= 2;
    }
  }
  Expect("a batch without memory", drill.Run(drill.batch), StatusCode::kGpuMemory);
  hog.clear();
  Expect("a batch with memory again", drill.Run(drill.batch), StatusCode::kOk);
}

void IllegalAddress(Drill& drill) {
  Expect("a row before", drill.Run(1), StatusCode::kOk);
  const CudaFunction kernel = drill.Kernel("write_anywhere");
  Result<std::unique_ptr<Stream>> stream = Stream::Create(drill.gpu);
  Need(stream.status());
  const int code = drill.gpu->driver().cuda().cuLaunchKernel(kernel, 1, 1, 1, 1, 1, 1, 0, stream.value()->handle(), nullptr, nullptr);
  if (code != 0) Fail("the kernel could not be launched: " + std::to_string(code));
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  Expect("a row behind it", drill.Run(1), StatusCode::kGpuFault);
  Expect("and another", drill.Run(1), StatusCode::kGpuFault);
}

// A kernel that never ends keeps the device busy. The run behind it may end (another stream) or not; what matters is that the driver says
// "still busy" and does not block whoever only asks.
void Hang(Drill& drill) {
  Expect("a row before", drill.Run(1), StatusCode::kOk);
  const CudaFunction kernel = drill.Kernel("wait_for");
  Result<std::unique_ptr<Stream>> stream = Stream::Create(drill.gpu);
  Need(stream.status());
  Result<DeviceBuffer> flag = DeviceBuffer::Allocate(drill.gpu, 4);
  Need(flag.status());
  Need(stream.value()->Clear(flag.value().data(), 4));
  Need(stream.value()->Synchronize());
  CudaPointer address = flag.value().data();
  void* parameters[] = {&address};
  Need(drill.gpu->Check("cuLaunchKernel", drill.gpu->driver().cuda().cuLaunchKernel(kernel, 4096, 1, 1, 1024, 1, 1, 0,
                                                                                    stream.value()->handle(), parameters, nullptr)));
  const int64_t begin_ns = MonotonicNs();
  const Fault asked = drill.gpu->Ask();
  const int64_t took_us = (MonotonicNs() - begin_ns) / 1000;
  std::printf("{\"step\":\"asking the driver meanwhile\",\"code\":\"%s\",\"us\":%lld,\"asExpected\":%s}\n", CauseOf(asked.kind),
              static_cast<long long>(took_us), asked.kind == FaultKind::kNone && took_us < 1'000'000 ? "true" : "false");
  std::atomic<bool> ended{false};
  std::thread run([&] {
    (void)drill.Run(drill.batch).ok();
    ended = true;
  });
  std::this_thread::sleep_for(std::chrono::seconds(3));
  std::printf("{\"step\":\"a batch behind it, after 3 s\",\"ended\":%s,\"asExpected\":true}\n", ended ? "true" : "false");
  std::fflush(stdout);
  std::_Exit(0);
}

// Loads, runs and unloads a hundred times: the device has as much memory free after the last time as after the second.
void Cycles(Drill& drill) {
  uint64_t after_second = 0;
  uint64_t free_bytes = 0;
  for (int cycle = 1; cycle <= 100; ++cycle) {
    drill.model.reset();
    const Result<DeviceMemory> memory = drill.gpu->ReadMemory();
    Need(memory.status());
    free_bytes = memory.value().free_bytes;
    if (cycle == 3) after_second = free_bytes;
    auto opened = session::OpenOrtSession(drill.options);
    Need(opened.status());
    drill.model = std::move(opened).value();
    Need(drill.Run(drill.batch));
  }
  const bool same = free_bytes == after_second;
  std::printf("{\"step\":\"free after unload 2 and 99\",\"bytes\":[%llu,%llu],\"asExpected\":%s}\n",
              static_cast<unsigned long long>(after_second), static_cast<unsigned long long>(free_bytes), same ? "true" : "false");
}

}  // namespace

int main(int argc, char** argv) {
  const std::map<std::string, void (*)(Drill&)> drills = {
      {"oom", OutOfMemory}, {"illegal-address", IllegalAddress}, {"hang", Hang}, {"cycles", Cycles}};
  const auto drill = argc == 5 ? drills.find(argv[1]) : drills.end();
  if (drill == drills.end()) {
    std::fprintf(stderr, "usage: gpu_drill oom|illegal-address|hang|cycles ORT_LIBRARY MODEL BATCH\n");
    return 64;
  }
  const Gpus gpus = FindGpus({});
  if (gpus.list.empty()) Fail("no GPU can be used: " + gpus.why_none.text);
  session::OrtOptions ort;
  ort.library_path = argv[2];
  Need(session::StartOrt(ort));
  session::SessionOptions options;
  options.model_path = argv[3];
  options.gpus = {gpus.list.front()};
  auto opened = session::OpenOrtSession(options);
  Need(opened.status());
  Drill context{gpus.list.front(), options, std::move(opened).value(), std::max<int64_t>(1, std::atoll(argv[4]))};
  drill->second(context);
  std::fflush(stdout);
  std::_Exit(0);
}
