// The devices that CUDA sees, each with its primary context, and what every call on them has in common.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "calls.h"
#include "device/cuda_api.h"
#include "device_memory.h"
#include "kernels.h"
#include "stream_worker.h"

namespace penstock::fake_driver {

inline constexpr int kInvalidValue = 1;
inline constexpr int kOutOfMemory = 2;
inline constexpr int kNotInitialized = 3;
inline constexpr int kNoDevice = 100;
inline constexpr int kInvalidDevice = 101;
inline constexpr int kInvalidContext = 201;
inline constexpr int kInvalidHandle = 400;
inline constexpr int kNotFound = 500;

// Another number each time, the same for all kinds of handles; no address looks like it.
uintptr_t NextHandle();

// Objects behind handles that are never used twice: one that has been destroyed is always recognised. Thread-safe, lookups with a shared
// lock.
template <typename Handle, typename Object>
class Handles {
 public:
  Handle Add(Object object) {
    const auto handle = reinterpret_cast<Handle>(NextHandle());
    std::unique_lock<std::shared_mutex> lock(mutex_);
    objects_.emplace(handle, std::move(object));
    return handle;
  }
  // A default object when there is none.
  Object Find(Handle handle) const {
    std::shared_lock<std::shared_mutex> lock(mutex_);
    const auto found = objects_.find(handle);
    return found == objects_.end() ? Object() : found->second;
  }
  Object Take(Handle handle) {
    std::unique_lock<std::shared_mutex> lock(mutex_);
    const auto found = objects_.find(handle);
    if (found == objects_.end()) return Object();
    Object object = std::move(found->second);
    objects_.erase(found);
    return object;
  }
  std::vector<Object> All() const {
    std::shared_lock<std::shared_mutex> lock(mutex_);
    std::vector<Object> all;
    for (const auto& [handle, object] : objects_) all.push_back(object);
    return all;
  }
  void Clear() {
    std::unique_lock<std::shared_mutex> lock(mutex_);
    objects_.clear();
  }

 private:
  mutable std::shared_mutex mutex_;
  std::unordered_map<Handle, Object> objects_;
};

struct Module {
  std::atomic<bool> loaded{true};
};

// A kernel as it was got from a module.
struct Function {
  const Kernel* kernel = nullptr;
  std::shared_ptr<const Module> module;
};

}  // namespace penstock::fake_driver

// A device and its primary context: there are no others. Never destroyed, so that a stale pointer can be told.
struct CUctx_st {
  using MemoryPool = penstock::fake_driver::MemoryPool;
  using StreamWorker = penstock::fake_driver::StreamWorker;

  int gpu = 0;   // index in the script
  int mig = -1;  // index of the MIG device; -1 = the whole GPU
  std::string uuid;
  std::string name;
  uint64_t total_bytes = 0;
  MemoryPool memory{256};
  penstock::fake_driver::Handles<CUstream_st*, std::shared_ptr<StreamWorker>> streams;
  penstock::fake_driver::Handles<CUmod_st*, std::shared_ptr<penstock::fake_driver::Module>> modules;
  penstock::fake_driver::Handles<CUfunc_st*, penstock::fake_driver::Function> functions;

  int sticky() const { return sticky_.load(std::memory_order_relaxed); }
  // The first one stays.
  void Strike(int code) {
    int none = 0;
    sticky_.compare_exchange_strong(none, code, std::memory_order_relaxed);
  }
  bool alive() const { return retained_.load(std::memory_order_relaxed) > 0; }
  void Retain() { retained_.fetch_add(1, std::memory_order_relaxed); }
  // False when nobody had retained it. The last release frees all that is in it.
  bool Release();

  // The default stream too; null when there is none.
  std::shared_ptr<StreamWorker> FindStream(CUstream_st* handle);
  // [blocks] Until all its streams are idle.
  void WaitForAll();
  // What this process may allocate in all: what others use is not to be had.
  uint64_t limit_bytes() const;
  uint64_t free_bytes() const;
  // Memory of this device, or page-locked memory of the host.
  bool Reaches(const void* from, size_t bytes) const;
  // Work for nobody; the streams end.
  void Abandon();

 private:
  std::vector<std::shared_ptr<StreamWorker>> AllStreams();

  std::atomic<int> sticky_{0};
  std::atomic<int> retained_{0};
  std::mutex default_mutex_;
  std::shared_ptr<StreamWorker> default_stream_;  // guarded by default_mutex_
};

namespace penstock::fake_driver {

// What cuInit found; empty before.
const std::vector<CUctx_st*>& Devices();
bool IsInitialized();
// Finds the devices of the script that CUDA_VISIBLE_DEVICES shows. A CUresult.
int Initialize();
// This thread's; null when it has none or the driver was reset since.
CUctx_st* CurrentContext();
void SetCurrentContext(CUctx_st* context);

enum class Needs : uint8_t { kNothing, kInit, kContext };

// The beginning of every exported function: is the call possible at all, and does the script strike it?
class CudaCall {
 public:
  CudaCall(size_t function, Needs needs);
  // About a device by its ordinal.
  CudaCall(size_t function, int ordinal);

  // Return it unless it is 0.
  int code() const { return code_; }
  const Effects& effects() const { return effects_; }
  CUctx_st* context() const { return context_; }

 private:
  void Begin(size_t function, Needs needs);
  CUctx_st* context_;
  Effects effects_;
  int code_ = 0;
};

}  // namespace penstock::fake_driver
