#include "bridge/process_state.h"

#include <algorithm>
#include <chrono>
#include <future>
#include <thread>
#include <utility>

#include "session/ort_environment.h"

namespace penstock::bridge {

ProcessState& ProcessState::Get() {
  static auto* state = new ProcessState();
  return *state;
}

Status ProcessState::Start(const EngineOptions& options) {
  std::lock_guard<std::mutex> lock(start_mutex_);
  if (engine() != nullptr) return Status(StatusCode::kInternal, "the engine of this process was started before");
  session::OrtOptions ort;
  ort.library_path = options.ort_library;
  ort.intra_op_threads = options.intra_op_threads;
  PENSTOCK_RETURN_IF_ERROR(session::StartOrt(ort));
  gpu_settings_ = options.gpu;
  if (gpus() == nullptr) gpus_.store(new ProcessGpus(options.gpu), std::memory_order_release);
  limits_.max_tensor_bytes = options.max_request_bytes;
  lane_spin_ = options.lane_spin;
  serving::AdmissionLimits admission;
  admission.max_requests = options.max_in_flight_requests;
  admission.max_bytes = options.max_in_flight_bytes;
  auto* engine = new serving::Engine(admission);
  engine->canaries().SetInterval(options.gpu.probe_interval_ms);
  engine_.store(engine, std::memory_order_release);
  return Status::Ok();
}

void ProcessState::FindGpusAgain() {
  std::lock_guard<std::mutex> lock(start_mutex_);
  if (gpus() == nullptr || !gpus()->found().list.empty()) return;
  gpus_.store(new ProcessGpus(gpu_settings_), std::memory_order_release);
}

Status ProcessState::CheckServed(const std::string& model, const std::string& version) const {
  const serving::Engine* running = engine();
  if (running == nullptr) return Status(StatusCode::kServerExiting, "the engine is not running");
  return running->CheckServed(model, version);
}

bool ProcessState::Stop(int64_t wait_ms) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(wait_ms);
  if (serving::Engine* running = engine()) {
    // On a thread that may be left behind: ONNX Runtime looks at the terminate flag between two nodes, and one node can take for ever.
    std::promise<void> stopped;
    std::future<void> done = stopped.get_future();
    std::thread([this, running, stopped = std::move(stopped)]() mutable {
      running->Stop();
      while (loads_.load() > 0) std::this_thread::sleep_for(std::chrono::milliseconds(5));
      running->reaper().Flush();  // what those loads have left behind
      stopped.set_value();
    }).detach();
    if (done.wait_until(deadline) != std::future_status::ready) return false;
  }
  return true;
}

void ProcessState::DestroyAtExit(const std::shared_ptr<frontend::FrontEnd>& front_end) {
  std::lock_guard<std::mutex> lock(front_ends_mutex_);
  const auto gone = [](const std::weak_ptr<frontend::FrontEnd>& other) { return other.expired(); };
  front_ends_.erase(std::remove_if(front_ends_.begin(), front_ends_.end(), gone), front_ends_.end());
  front_ends_.push_back(front_end);
}

void ProcessState::DestroyFrontEnds() {
  std::vector<std::weak_ptr<frontend::FrontEnd>> all;
  {
    std::lock_guard<std::mutex> lock(front_ends_mutex_);
    all.swap(front_ends_);
  }
  for (const std::weak_ptr<frontend::FrontEnd>& one : all) {
    if (const auto front_end = one.lock()) front_end->Destroy();
  }
}

void ProcessState::PublishHealth(std::string json, int64_t now_ns) {
  std::lock_guard<std::mutex> lock(health_mutex_);
  health_json_ = std::move(json);
  health_ns_ = now_ns;
}

void ProcessState::ReadHealth(std::string* json, int64_t* published_ns) const {
  std::lock_guard<std::mutex> lock(health_mutex_);
  *json = health_json_;
  *published_ns = health_ns_;
}

}  // namespace penstock::bridge
