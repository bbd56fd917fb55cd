#include <atomic>
#include <new>
#include <utility>

#include "base/thread_name.h"
#include "session/cuda_session.h"
#include "session/ort_environment.h"
#include "session/ort_handle.h"
#include "session/ort_runtime.h"
#include "session/ort_session_options.h"
#include "session/ort_signature.h"
#include "session/ort_status.h"
#include "session/ort_tensor.h"
#include "session/run_inputs.h"
#include "session/spread_session.h"

namespace penstock::session {
namespace {

// ONNX Runtime looks at its flag between nodes, so a run ends after the node that it is in.
class OrtRunControl final : public RunControl {
 public:
  OrtRunControl(const OrtFunctions& ort, OrtHandle<OrtRunOptions> options) : ort_(ort), options_(std::move(options)) {}

  void Terminate() override {
    terminated_.store(true);
    Drop(ort_.RunOptionsSetTerminate(options_.get()));
  }

  void Reset() override {
    terminated_.store(false);
    Drop(ort_.RunOptionsUnsetTerminate(options_.get()));
  }

  bool terminated() const { return terminated_.load(); }
  const OrtRunOptions* options() const { return options_.get(); }

 private:
  // Setting a flag of an object that exists cannot fail.
  void Drop(OrtStatus* status) {
    if (status != nullptr) ort_.ReleaseStatus(status);
  }

  const OrtFunctions& ort_;
  const OrtHandle<OrtRunOptions> options_;
  std::atomic<bool> terminated_{false};
};

class OnnxSession final : public Session {
 public:
  OnnxSession(const OrtRuntime& runtime, OrtHandle<OrtSession> session, Signature signature)
      : runtime_(runtime), session_(std::move(session)), signature_(std::move(signature)) {}

  const Signature& signature() const override { return signature_; }

  std::unique_ptr<RunControl> NewRunControl() const override {
    OrtRunOptions* raw = nullptr;
    // Fails only where `new` would, and this function has no other way to say so.
    const Status status = TakeOrtStatus(runtime_.functions, runtime_.functions.CreateRunOptions(&raw), StatusCode::kMemory, "");
    if (!status.ok()) throw std::bad_alloc();
    return std::make_unique<OrtRunControl>(runtime_.functions, OrtHandle<OrtRunOptions>(raw, runtime_.functions.ReleaseRunOptions));
  }

  Status Run(const std::vector<Tensor>& inputs, const std::vector<size_t>& outputs, RunControl& control,
             std::vector<Tensor>* results) const override {
    const auto& ort_control = static_cast<const OrtRunControl&>(control);
    const auto stopped = [] { return Status(StatusCode::kRequestCancelled, "the run was stopped"); };
    if (ort_control.terminated()) return stopped();
    try {
      const Status status = RunOrt(inputs, outputs, ort_control.options(), results);
      // The text of the failure is no witness. A run that fails for a reason of its own while it is being stopped counts as stopped:
      // nobody waits for that reason any more.
      return !status.ok() && ort_control.terminated() ? stopped() : status;
    } catch (const std::bad_alloc&) {
      return Status(StatusCode::kMemory, "not enough memory for the outputs of a run");
    }
  }

 private:
  Status RunOrt(const std::vector<Tensor>& inputs, const std::vector<size_t>& outputs, const OrtRunOptions* options,
                std::vector<Tensor>* results) const {
    PENSTOCK_RETURN_IF_ERROR(CheckInputs(signature_, inputs));
    const OrtFunctions& ort = runtime_.functions;
    std::vector<OrtHandle<OrtValue>> owned_inputs;
    std::vector<const OrtValue*> raw_inputs;
    std::vector<const char*> input_names;
    for (size_t i = 0; i < inputs.size(); ++i) {
      if (inputs[i].left_out()) continue;
      Result<OrtHandle<OrtValue>> value = BorrowAsOrtValue(runtime_, inputs[i]);
      if (!value.ok()) return value.status();
      input_names.push_back(signature_.inputs[i].name.c_str());
      owned_inputs.push_back(std::move(value).value());
      raw_inputs.push_back(owned_inputs.back().get());
    }
    std::vector<const char*> output_names;
    for (const size_t output : outputs) output_names.push_back(signature_.outputs[output].name.c_str());

    // Null asks ONNX Runtime to allocate, so shapes that only the run knows need no special path.
    std::vector<OrtValue*> raw_outputs(outputs.size(), nullptr);
    OrtStatus* const failure = ort.Run(session_.get(), options, input_names.data(), raw_inputs.data(), raw_inputs.size(),
                                       output_names.data(), output_names.size(), raw_outputs.data());
    std::vector<OrtHandle<OrtValue>> values;
    values.reserve(raw_outputs.size());
    for (OrtValue* raw : raw_outputs) values.emplace_back(raw, ort.ReleaseValue);
    if (failure != nullptr) {
      const StatusCode code = SaysOutOfMemory(ort, failure) ? StatusCode::kMemory : StatusCode::kModelRun;
      return TakeOrtStatus(ort, failure, code, "the model failed: ");
    }

    results->clear();
    for (OrtHandle<OrtValue>& value : values) {
      Result<Tensor> tensor = TensorFromOrtValue(runtime_, std::move(value), inputs);
      if (!tensor.ok()) return tensor.status();
      results->push_back(std::move(tensor).value());
    }
    return Status::Ok();
  }

  const OrtRuntime& runtime_;
  const OrtHandle<OrtSession> session_;
  const Signature signature_;
};

Result<std::shared_ptr<Session>> OpenCpuSession(const OrtRuntime& runtime, const SessionOptions& options) {
  const OrtFunctions& ort = runtime.functions;
  Result<OrtHandle<OrtSessionOptions>> session_options = NewSessionOptions(runtime, options);
  if (!session_options.ok()) return session_options.status();
  OrtSession* raw = nullptr;
  const ThreadNameForChildren pool(kOrtThreadName);
  PENSTOCK_RETURN_IF_ERROR(TakeLoadStatus(
      runtime, options, ort.CreateSession(runtime.env, options.model_path.c_str(), session_options.value().get(), &raw)));
  OrtHandle<OrtSession> session(raw, ort.ReleaseSession);
  Result<Signature> signature = ReadSignature(runtime, raw);
  if (!signature.ok()) return signature.status();
  return std::shared_ptr<Session>(std::make_shared<OnnxSession>(runtime, std::move(session), std::move(signature).value()));
}

Result<std::shared_ptr<Session>> OpenWhereAsked(const OrtRuntime& runtime, const SessionOptions& options) {
  if (options.gpus.empty()) return OpenCpuSession(runtime, options);
  std::vector<std::shared_ptr<Session>> sessions;
  for (const std::shared_ptr<device::Gpu>& gpu : options.gpus) {
    Result<std::shared_ptr<Session>> session = OpenCudaSession(runtime, options, gpu);
    if (!session.ok()) return session.status();
    sessions.push_back(std::move(session).value());
  }
  if (sessions.size() == 1) return sessions.front();
  return std::shared_ptr<Session>(std::make_shared<SpreadSession>(std::move(sessions)));
}

}  // namespace

Result<std::shared_ptr<Session>> OpenOrtSession(const SessionOptions& options) {
  const OrtRuntime* runtime = CurrentOrt();
  if (runtime == nullptr) return Status(StatusCode::kClosed, "ONNX Runtime has not been started");
  return OpenWhereAsked(*runtime, options);
}

}  // namespace penstock::session
