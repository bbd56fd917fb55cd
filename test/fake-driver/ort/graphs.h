// CUDA graphs as the stand-in keeps them: nothing is replayed, but what a replay of the real library would silently get wrong fails the
// run.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <thread>

#include "session/ort_api.h"

namespace penstock::fake_ort {

// Where the tensors of a run lie, by name; null for one that is somewhere else each time.
using Addresses = std::map<std::string, const void*>;

// Thread-safe.
class Graphs {
 public:
  // Sessions of these options record.
  void Enable(const OrtSessionOptions* options, bool enabled);
  void Forget(const OrtSessionOptions* options);
  void Open(const OrtSession* session, const OrtSessionOptions* options);
  void Forget(const OrtSession* session);
  // The run option "gpu_graph_id".
  void SetId(const OrtRunOptions* options, const std::string& id);
  void Forget(const OrtRunOptions* options);

  // One run of a session, begun here and ended by its destructor.
  class Run {
   public:
    Run(Graphs* graphs, const OrtSession* session, const OrtRunOptions* options, const Addresses& addresses);
    ~Run();
    Run(const Run&) = delete;
    Run& operator=(const Run&) = delete;
    // Why the run must not be; empty when it may.
    const std::string& fault() const { return fault_; }
    bool uses_graph() const { return uses_graph_; }

   private:
    Graphs* const graphs_;
    const OrtSession* const session_;
    bool counted_ = false;
    bool uses_graph_ = false;
    std::string fault_;
  };

  uint64_t captures() const;
  uint64_t replays() const;

 private:
  struct Graph {
    Addresses addresses;
    std::thread::id thread;
  };
  struct Recorder {
    std::map<int, Graph> graphs;  // by id
    int running = 0;
  };
  std::string Check(Recorder* recorder, const OrtRunOptions* options, const Addresses& addresses, bool* uses_graph);

  mutable std::mutex mutex_;  // guards the rest
  std::map<const OrtSessionOptions*, bool> enabled_;
  std::map<const OrtSession*, Recorder> recorders_;
  std::map<const OrtRunOptions*, int> ids_;
  uint64_t captures_ = 0;
  uint64_t replays_ = 0;
};

}  // namespace penstock::fake_ort
