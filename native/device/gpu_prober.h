// Runs the memory probe of every GPU at intervals, each on a thread of its own: one that hangs holds up nobody else's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "device/memory_probe.h"

namespace penstock::device {

// Outcomes so far of one GPU's probes.
struct ProbeState {
  uint64_t runs = 0;                    // that the device answered
  uint64_t mismatches = 0;              // of those: in how many bytes came back otherwise than they were written
  uint64_t consecutive_mismatches = 0;  // up to now; a probe that failed does not count either way
  uint64_t consecutive_failures = 0;    // in a row, up to now: could not be done at all
  std::string text;                     // of the last one: why it failed, or what it found; empty when all was well
  int64_t last_ns = -1;                 // monotonic time of its end; -1 = none yet
  int64_t running_since_ns = -1;        // monotonic; -1 = none is running
  uint64_t bytes = 0;                   // examined by the last one
  int64_t duration_ns = 0;              // of the last one
  uint64_t free_bytes = 0;              // of the device, after the last one that answered
};

// Adds an outcome that came at `now_ns`.
void CountProbe(const ProbeResult& result, int64_t now_ns, ProbeState* state);

struct ProberOptions {
  int64_t interval_ms = 600'000;  // from the end of one probe to the begin of the next; 0 = no probes
  int64_t settle_ms = 2000;       // from ProbeSoon to the probe: whoever looks at the GPUs every second sees the event before its outcome
  uint64_t bytes = 64u << 20;     // of each device that its probe keeps
};

class GpuProber {
 public:
  // Starts the threads; each probes at once and then at every interval. The scratch memory is kept in between. After a fatal fault of a GPU
  // its probes fail with it, without a call of the driver.
  GpuProber(const std::vector<std::shared_ptr<Gpu>>& gpus, ProberOptions options);
  // Threads whose probe hangs are left behind: it waits for them a second at most.
  ~GpuProber();
  GpuProber(const GpuProber&) = delete;
  GpuProber& operator=(const GpuProber&) = delete;

  // [any thread] Something has happened to the GPU at this position: probes it once that has settled. Does nothing without probes.
  void ProbeSoon(size_t index);

  // [any thread] Of all GPUs, in the order of the constructor. Never waits for a probe.
  std::vector<ProbeState> snapshot() const;

 private:
  struct Shared;
  static void Run(Shared* shared, size_t index);
  std::shared_ptr<Shared> shared_;
};

}  // namespace penstock::device
