// ONNX Runtime of this process: one library, one environment, one thread pool.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "device/gpu.h"
#include "device/kernel_image.h"
#include "memory/block.h"
#include "session/session.h"

namespace penstock::session {

struct OrtOptions {
  // Path of libonnxruntime.so.1.
  std::string library_path;
  // Threads of the one intra-op pool shared by every session; >= 1. Spinning is off.
  int intra_op_threads = 1;
};

// How a model runs on a GPU.
struct CudaSessionOptions {
  // Of ONNX Runtime's CUDA provider, by its own names ("gpu_mem_limit", "cudnn_conv_algo_search"); device_id is ours to set.
  std::map<std::string, std::string> provider_options;
  // Pads batches to powers of two. False: every batch has the rows it has.
  bool buckets = true;
  // Lanes record their runs as CUDA graphs, each in a session of its own, where the model can be recorded.
  bool graphs = false;
  // Runs of one session that may go on at one time; copies of other lanes overlap with them in any case.
  int runs_at_once = 1;
  // Page-locked memory for inputs and outputs; null: ordinary memory.
  std::shared_ptr<memory::BlockSource> pinned;
  // Of our kernels; null: what they would do is done on the CPU.
  const void* kernel_image = device::EmbeddedKernels();
};

struct SessionOptions {
  // The .onnx file. ONNX Runtime opens it itself, so external data files beside it work and are memory-mapped where it can.
  std::string model_path;
  // 0: use the process-wide pool; >= 1: a pool of this size for this session alone.
  int intra_op_threads = 0;
  // Empty: on the CPU. Otherwise one session on each of these, and every lane on one of them, in turn.
  std::vector<std::shared_ptr<device::Gpu>> gpus = {};
  CudaSessionOptions cuda = {};
};

// Loads the library and creates the environment, once a process. Later calls with the same library succeed and change nothing; another
// library is refused. Never undone: ONNX Runtime cannot be unloaded safely. Errors: kOrtLibrary naming the path and the reason.
Status StartOrt(const OrtOptions& options);

// "1.29.0"; empty before StartOrt.
std::string OrtVersion();

// [any thread, blocks for as long as loading takes] Errors: kModelLoad with ONNX Runtime's reason (without paths), kClosed before StartOrt,
// kModelConfig for options that do not fit the model or the provider; on GPUs also kCudaProvider (not installed, or not to be loaded),
// kGpuMemory with the numbers, before anything is allocated where the file alone is larger than what is free, kGpuFault, kGpuLost.
Result<std::shared_ptr<Session>> OpenOrtSession(const SessionOptions& options);

}  // namespace penstock::session
