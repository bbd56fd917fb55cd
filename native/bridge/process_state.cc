#include "bridge/process_state.h"

#include <chrono>
#include <thread>
#include <utility>

#include "base/clock.h"
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
  limits_.max_tensor_bytes = options.max_request_bytes;
  serving::AdmissionLimits admission;
  admission.max_requests = options.max_in_flight_requests;
  admission.max_bytes = options.max_in_flight_bytes;
  engine_.store(new serving::Engine(admission), std::memory_order_release);
  return Status::Ok();
}

Status ProcessState::CheckServed(const std::string& model, const std::string& version) const {
  const serving::Engine* running = engine();
  if (running == nullptr) return Status(StatusCode::kServerExiting, "the engine is not running");
  return running->CheckServed(model, version);
}

bool ProcessState::Stop(int64_t load_wait_ms) {
  if (serving::Engine* running = engine()) running->Stop();
  const int64_t until_ns = MonotonicNs() + load_wait_ms * 1'000'000;
  while (loads_.load() > 0) {
    if (MonotonicNs() >= until_ns) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return true;
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
