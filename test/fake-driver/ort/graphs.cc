#include "graphs.h"

#include <algorithm>
#include <cstdlib>

namespace penstock::fake_ort {

using Lock = std::lock_guard<std::mutex>;

void Graphs::Enable(const OrtSessionOptions* options, bool enabled) {
  const Lock lock(mutex_);
  enabled_[options] = enabled;
}

void Graphs::Forget(const OrtSessionOptions* options) {
  const Lock lock(mutex_);
  enabled_.erase(options);
}

void Graphs::Open(const OrtSession* session, const OrtSessionOptions* options) {
  const Lock lock(mutex_);
  const auto found = enabled_.find(options);
  if (found != enabled_.end() && found->second) recorders_[session];
}

void Graphs::Forget(const OrtSession* session) {
  const Lock lock(mutex_);
  recorders_.erase(session);
}

void Graphs::SetId(const OrtRunOptions* options, const std::string& id) {
  const Lock lock(mutex_);
  ids_[options] = std::atoi(id.c_str());
}

void Graphs::Forget(const OrtRunOptions* options) {
  const Lock lock(mutex_);
  ids_.erase(options);
}

std::string Graphs::Check(Recorder* recorder, const OrtRunOptions* options, const Addresses& addresses, bool* uses_graph) {
  if (recorder->running > 0) return "two threads run a session that records graphs";
  const auto id = ids_.find(options);
  if (id == ids_.end() || id->second == 0) return "graph 0 is reserved";
  if (id->second < 0) return {};
  if (std::any_of(addresses.begin(), addresses.end(), [](const auto& tensor) { return tensor.second == nullptr; })) {
    return "a tensor of a graph has no fixed address";
  }
  *uses_graph = true;
  const auto [graph, first] = recorder->graphs.try_emplace(id->second, Graph{addresses, std::this_thread::get_id()});
  ++(first ? captures_ : replays_);
  if (graph->second.thread != std::this_thread::get_id()) return "another thread has captured the graph";
  if (graph->second.addresses != addresses) return "the graph was captured with other addresses";
  return {};
}

Graphs::Run::Run(Graphs* graphs, const OrtSession* session, const OrtRunOptions* options, const Addresses& addresses)
    : graphs_(graphs), session_(session) {
  const Lock lock(graphs->mutex_);
  const auto recorder = graphs->recorders_.find(session);
  if (recorder == graphs->recorders_.end()) return;
  fault_ = graphs->Check(&recorder->second, options, addresses, &uses_graph_);  // may find no memory
  counted_ = true;
  ++recorder->second.running;
}

Graphs::Run::~Run() {
  if (!counted_) return;
  const Lock lock(graphs_->mutex_);
  --graphs_->recorders_[session_].running;
}

uint64_t Graphs::captures() const {
  const Lock lock(mutex_);
  return captures_;
}

uint64_t Graphs::replays() const {
  const Lock lock(mutex_);
  return replays_;
}

}  // namespace penstock::fake_ort
