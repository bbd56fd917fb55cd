// A model that ONNX Runtime has loaded on one GPU, and what its lanes share.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <vector>

#include "base/status.h"
#include "device/gpu.h"
#include "session/ort_environment.h"
#include "session/ort_handle.h"
#include "session/ort_runtime.h"
#include "session/run_permits.h"
#include "session/session.h"

namespace penstock::session {

class CudaGraphs;

// [any thread] Held shared by whoever loads or releases a session on a GPU, alone by whoever records a graph: what ONNX Runtime does to
// load (it waits for the whole device) breaks a recording, and fails itself.
std::shared_mutex& LoadingOrRecording();

// An OrtSession on a GPU. Where the GPU is gone it is kept for ever.
class CudaOrtSession {
 public:
  // [thread that may block] `graphs`: one that can record. Errors: those of OpenOrtSession.
  static Result<std::unique_ptr<CudaOrtSession>> Load(const OrtRuntime& runtime, const SessionOptions& options,
                                                      std::shared_ptr<const device::Gpu> gpu, bool graphs);
  ~CudaOrtSession();
  CudaOrtSession(const CudaOrtSession&) = delete;
  CudaOrtSession& operator=(const CudaOrtSession&) = delete;

  OrtSession* get() const { return handle_.get(); }

 private:
  CudaOrtSession(std::shared_ptr<const device::Gpu> gpu, OrtHandle<OrtSession> handle) : gpu_(std::move(gpu)), handle_(std::move(handle)) {}
  const std::shared_ptr<const device::Gpu> gpu_;
  OrtHandle<OrtSession> handle_;
};

// Its lanes keep it: a binding must not outlive the session that it is made of.
struct CudaModel {
  CudaModel(const OrtRuntime& ort_runtime, std::shared_ptr<const device::Gpu> device, SessionOptions how);
  ~CudaModel();
  CudaModel(const CudaModel&) = delete;
  CudaModel& operator=(const CudaModel&) = delete;

  // [any thread] For the log; nothing that has been said before.
  void Note(const std::string& note);

  const OrtRuntime& runtime;
  const std::shared_ptr<const device::Gpu> gpu;
  const SessionOptions options;
  OrtHandle<OrtMemoryInfo> device_memory{nullptr, nullptr};
  std::unique_ptr<CudaOrtSession> session;  // of all lanes, but for those that record graphs
  Signature signature;
  RunPermits permits;
  std::atomic<bool> can_shrink{true};  // until ONNX Runtime has refused to shrink its arena
  std::atomic<bool> records{false};    // lanes get sessions that record graphs
  std::mutex mutex;
  std::unique_ptr<CudaGraphs> first_graphs;  // what loading has tried: for the first lane. Guarded by mutex, and so are
  std::vector<std::string> notes;
};

// Takes what ONNX Runtime says of a tensor that it was to bind, or had bound: that may copy, and so fail for what the GPU has or lacks.
// Errors: kGpuMemory, kGpuFault, kGpuLost, kModelRun.
Status CheckBinding(const CudaModel& model, OrtStatus* status);

// [thread that may block, for as long as loading takes] Errors: those of OpenOrtSession.
Result<std::shared_ptr<CudaModel>> LoadCudaModel(const OrtRuntime& runtime, const SessionOptions& options,
                                                 std::shared_ptr<const device::Gpu> gpu);

}  // namespace penstock::session
