#include "contexts.h"

#include <cstdlib>

#include "visible_devices.h"

namespace penstock::fake_driver {
namespace {

struct State {
  std::mutex mutex;                                             // of cuInit and resets
  std::atomic<const std::vector<CUctx_st*>*> devices{nullptr};  // null before cuInit
  std::vector<const std::vector<CUctx_st*>*> all;               // also those of before a reset. Guarded by mutex.
};

State& TheState() {
  static State& state = *new State;  // never destroyed: threads of streams outlive main
  return state;
}

struct Current {
  CUctx_st* context = nullptr;
  uint64_t resets = 0;
};
// Of the loader's reserve: with memory of its own a thread that still hangs when the process ends makes LeakSanitizer of GCC 12 crash.
thread_local Current current __attribute__((tls_model("initial-exec")));

CUctx_st* MakeDevice(const Script& script, const VisibleDevice& visible) {
  const GpuScript& gpu = script.gpus[static_cast<size_t>(visible.gpu)];
  auto* device = new CUctx_st;
  device->gpu = visible.gpu;
  device->mig = visible.mig;
  const MigScript* mig = visible.mig < 0 ? nullptr : &gpu.mig[static_cast<size_t>(visible.mig)];
  device->uuid = mig == nullptr ? gpu.uuid : mig->uuid;
  device->name = mig == nullptr ? gpu.name : gpu.name + " MIG";
  device->total_bytes = mig == nullptr ? gpu.memory_bytes : mig->memory_bytes;
  return device;
}

}  // namespace

uintptr_t NextHandle() {
  static std::atomic<uintptr_t> next{0x1000};
  return next.fetch_add(16, std::memory_order_relaxed);
}

const std::vector<CUctx_st*>& Devices() {
  static const auto& none = *new std::vector<CUctx_st*>;
  const auto* devices = TheState().devices.load(std::memory_order_acquire);
  return devices == nullptr ? none : *devices;
}

bool IsInitialized() { return TheState().devices.load(std::memory_order_acquire) != nullptr; }

int Initialize() {
  State& state = TheState();
  std::lock_guard<std::mutex> lock(state.mutex);
  if (IsInitialized()) return 0;
  const Script& script = CurrentScript();
  const auto visible = FindVisibleDevices(script, std::getenv("CUDA_VISIBLE_DEVICES"));
  if (visible.empty()) return kNoDevice;
  auto* devices = new std::vector<CUctx_st*>;
  for (const VisibleDevice& each : visible) devices->push_back(MakeDevice(script, each));
  state.all.push_back(devices);
  state.devices.store(devices, std::memory_order_release);
  return 0;
}

CUctx_st* CurrentContext() { return current.resets == ResetCount() ? current.context : nullptr; }

void SetCurrentContext(CUctx_st* context) { current = {context, ResetCount()}; }

CudaCall::CudaCall(size_t function, Needs needs) : context_(CurrentContext()) { Begin(function, needs); }

CudaCall::CudaCall(size_t function, int ordinal) : context_(nullptr) {
  const auto& devices = Devices();
  if (ordinal >= 0 && static_cast<size_t>(ordinal) < devices.size()) context_ = devices[static_cast<size_t>(ordinal)];
  Begin(function, Needs::kInit);
  if (code_ == 0 && context_ == nullptr) code_ = kInvalidDevice;
}

void CudaCall::Begin(size_t function, Needs needs) {
  effects_ = BeginCall(function, context_ == nullptr ? -1 : context_->gpu);
  if (needs != Needs::kNothing && !IsInitialized()) {
    code_ = kNotInitialized;
  } else if (needs == Needs::kContext && (context_ == nullptr || !context_->alive())) {
    code_ = kInvalidContext;
  } else if (needs == Needs::kContext && context_->sticky() != 0) {
    code_ = context_->sticky();
  } else {
    code_ = effects_.code;
    if (effects_.sticky != 0 && context_ != nullptr) context_->Strike(effects_.sticky);
  }
}

}  // namespace penstock::fake_driver

using penstock::fake_driver::MemoryPool;
using penstock::fake_driver::StreamWorker;

bool CUctx_st::Release() {
  if (!alive()) return false;
  if (retained_.fetch_sub(1, std::memory_order_relaxed) == 1) {
    WaitForAll();
    Abandon();
    memory.FreeAll();
  }
  return true;
}

std::shared_ptr<StreamWorker> CUctx_st::FindStream(CUstream_st* handle) {
  // 0 and CU_STREAM_LEGACY. The default stream does not wait for others here, as it would for those that are not non-blocking.
  if (reinterpret_cast<uintptr_t>(handle) > 1) return streams.Find(handle);
  std::lock_guard<std::mutex> lock(default_mutex_);
  if (default_stream_ == nullptr) default_stream_ = StreamWorker::Start(this);
  return default_stream_;
}

std::vector<std::shared_ptr<StreamWorker>> CUctx_st::AllStreams() {
  auto all = streams.All();
  std::lock_guard<std::mutex> lock(default_mutex_);
  if (default_stream_ != nullptr) all.push_back(default_stream_);
  return all;
}

void CUctx_st::WaitForAll() {
  for (const auto& each : AllStreams()) each->Wait();
}

uint64_t CUctx_st::limit_bytes() const {
  const auto& gpus = penstock::fake_driver::CurrentScript().gpus;
  const uint64_t others = static_cast<size_t>(gpu) < gpus.size() ? gpus[static_cast<size_t>(gpu)].used_by_others_bytes : 0;
  return total_bytes > others ? total_bytes - others : 0;
}

uint64_t CUctx_st::free_bytes() const {
  const uint64_t limit = limit_bytes();
  const uint64_t used = memory.used_bytes();
  return limit > used ? limit - used : 0;
}

bool CUctx_st::Reaches(const void* from, size_t bytes) const {
  return memory.Contains(from, bytes) || penstock::fake_driver::HostMemory().Contains(from, bytes);
}

void CUctx_st::Abandon() {
  for (const auto& each : AllStreams()) each->Finish();
  streams.Clear();
  modules.Clear();
  functions.Clear();
  std::lock_guard<std::mutex> lock(default_mutex_);
  default_stream_ = nullptr;
}

// As in a process that has just loaded the library: no script, no cuInit, nothing allocated; hung calls go on. What is left of before is
// refused as unknown.
FAKE_EXPORT void fake_gpu_reset() {
  using namespace penstock::fake_driver;
  ResetCalls();
  State& state = TheState();
  std::lock_guard<std::mutex> lock(state.mutex);
  for (CUctx_st* each : Devices()) {
    each->WaitForAll();
    each->Abandon();
    each->memory.FreeAll();
  }
  HostMemory().FreeAll();
  state.devices.store(nullptr, std::memory_order_release);
}

// Bytes that are allocated on a device, by CUDA's ordinal.
FAKE_EXPORT uint64_t fake_gpu_device_bytes(int device) {
  const auto& devices = penstock::fake_driver::Devices();
  return device >= 0 && static_cast<size_t>(device) < devices.size() ? devices[static_cast<size_t>(device)]->memory.used_bytes() : 0;
}

// Bytes that are allocated on the GPU or MIG device of this UUID; for the NVML of the same process.
FAKE_EXPORT uint64_t fake_gpu_bytes_of(const char* uuid) {
  for (const CUctx_st* each : penstock::fake_driver::Devices()) {
    if (each->uuid == uuid) return each->memory.used_bytes();
  }
  return 0;
}

// Page-locked bytes.
FAKE_EXPORT uint64_t fake_gpu_host_bytes() { return penstock::fake_driver::HostMemory().used_bytes(); }
