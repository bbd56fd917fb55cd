// What the whole process shares, whichever JavaScript environment asks: the engine, the codec limits, the health document.
//
// Leaked on purpose: environments come and go, and lanes may outlive every static object.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/status.h"
#include "bridge/open_ports.h"
#include "bridge/process_gpus.h"
#include "codec/limits.h"
#include "frontend/front_end.h"
#include "pipeline/spinner.h"
#include "serving/engine.h"

namespace penstock::bridge {

struct EngineOptions {
  std::string ort_library;
  int intra_op_threads = 1;
  uint64_t max_request_bytes = 0;
  uint64_t max_in_flight_requests = 0;
  uint64_t max_in_flight_bytes = 0;
  pipeline::SpinOptions lane_spin;
  GpuSettings gpu;
};

// Bytes handed to JavaScript and not given back yet, in every environment.
struct RangeCounters {
  std::atomic<uint64_t> ranges{0};
  std::atomic<uint64_t> bytes{0};

  void Add(uint64_t size) {
    ranges.fetch_add(1);
    bytes.fetch_add(size);
  }
  void Remove(uint64_t size) {
    ranges.fetch_sub(1);
    bytes.fetch_sub(size);
  }
};

class ProcessState {
 public:
  static ProcessState& Get();

  // [main thread, blocks for seconds where there are GPUs] Loads ONNX Runtime, finds the GPUs and creates the engine. kInternal when it is
  // running already.
  Status Start(const EngineOptions& options);

  // [one thread at a time, blocks for seconds] Looks for GPUs once more if Start has found none; to be called before any version is loaded
  // that would run on one. Nothing before Start.
  void FindGpusAgain();

  // [main thread, blocks] Ends all work, joins every lane and waits for model loads in progress, at most `wait_ms` in all. False when a
  // load, or a run that does not heed its termination, goes on then: the process must leave by ExitNow, because ONNX Runtime's static
  // destructors would race with it. May be repeated.
  bool Stop(int64_t wait_ms);

  // Null before Start.
  serving::Engine* engine() const { return engine_.load(std::memory_order_acquire); }
  // Null before Start.
  // The last that were found stay where they are: whoever has asked may still be reading.
  const ProcessGpus* gpus() const { return gpus_.load(std::memory_order_acquire); }
  // [any thread] Engine::CheckServed; kServerExiting before Start.
  Status CheckServed(const std::string& model, const std::string& version) const;
  const codec::CodecLimits& limits() const { return limits_; }
  const pipeline::SpinOptions& lane_spin() const { return lane_spin_; }

  // [any thread] A front end that has not been destroyed when the process exits: its threads hold outputs of models.
  void DestroyAtExit(const std::shared_ptr<frontend::FrontEnd>& front_end);
  // [at exit, blocks] Destroys those.
  void DestroyFrontEnds();

  void PublishHealth(std::string json, int64_t now_ns);
  // The last document (empty = none yet) and its time.
  void ReadHealth(std::string* json, int64_t* published_ns) const;

  RangeCounters& ranges() { return ranges_; }
  OpenPorts& ports() { return ports_; }

  void LoadBegins() { loads_.fetch_add(1); }
  void LoadEnds() { loads_.fetch_sub(1); }

 private:
  std::mutex start_mutex_;
  std::atomic<serving::Engine*> engine_{nullptr};
  std::atomic<const ProcessGpus*> gpus_{nullptr};
  GpuSettings gpu_settings_;  // guarded by start_mutex_
  codec::CodecLimits limits_;
  pipeline::SpinOptions lane_spin_;
  mutable std::mutex health_mutex_;
  std::string health_json_;
  int64_t health_ns_ = 0;
  RangeCounters ranges_;
  OpenPorts ports_;
  std::atomic<int> loads_{0};
  std::mutex front_ends_mutex_;
  std::vector<std::weak_ptr<frontend::FrontEnd>> front_ends_;  // guarded by front_ends_mutex_
};

}  // namespace penstock::bridge
