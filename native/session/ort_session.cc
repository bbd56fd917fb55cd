#include <atomic>
#include <filesystem>
#include <new>
#include <utility>

#include "session/ort_environment.h"
#include "session/ort_handle.h"
#include "session/ort_runtime.h"
#include "session/ort_signature.h"
#include "session/ort_status.h"
#include "session/ort_tensor.h"

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
      : runtime_(runtime), session_(std::move(session)), signature_(std::move(signature)) {
    for (const TensorSpec& input : signature_.inputs) input_names_.push_back(input.name.c_str());
  }

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
    if (inputs.size() != signature_.inputs.size()) {
      return Status(StatusCode::kInternal, "a run got " + std::to_string(inputs.size()) + " inputs, expected " +
                                               std::to_string(signature_.inputs.size()));
    }
    const OrtFunctions& ort = runtime_.functions;
    std::vector<OrtHandle<OrtValue>> owned_inputs;
    std::vector<const OrtValue*> raw_inputs;
    for (const Tensor& input : inputs) {
      Result<OrtHandle<OrtValue>> value = BorrowAsOrtValue(runtime_, input);
      if (!value.ok()) return value.status();
      owned_inputs.push_back(std::move(value).value());
      raw_inputs.push_back(owned_inputs.back().get());
    }
    std::vector<const char*> output_names;
    for (const size_t output : outputs) output_names.push_back(signature_.outputs[output].name.c_str());

    // Null asks ONNX Runtime to allocate, so shapes that only the run knows need no special path.
    std::vector<OrtValue*> raw_outputs(outputs.size(), nullptr);
    OrtStatus* const failure = ort.Run(session_.get(), options, input_names_.data(), raw_inputs.data(), raw_inputs.size(),
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
  std::vector<const char*> input_names_;  // point into signature_
};

Result<OrtHandle<OrtSession>> CreateSession(const OrtRuntime& runtime, const SessionOptions& options) {
  const OrtFunctions& ort = runtime.functions;
  const std::filesystem::path path(options.model_path);
  const auto check = [&](OrtStatus* status) {
    return TakeOrtStatus(ort, status, StatusCode::kModelLoad, "cannot load " + path.filename().string() + ": ", options.model_path);
  };
  if (options.intra_op_threads < 0) {
    return Status(StatusCode::kModelConfig,
                  "intra_op_threads: found " + std::to_string(options.intra_op_threads) + ", expected 0 (shared) or more");
  }
  OrtSessionOptions* raw_options = nullptr;
  PENSTOCK_RETURN_IF_ERROR(check(ort.CreateSessionOptions(&raw_options)));
  const OrtHandle<OrtSessionOptions> session_options(raw_options, ort.ReleaseSessionOptions);
  if (options.intra_op_threads == 0) {
    PENSTOCK_RETURN_IF_ERROR(check(ort.DisablePerSessionThreads(raw_options)));
  } else {
    PENSTOCK_RETURN_IF_ERROR(check(ort.SetIntraOpNumThreads(raw_options, options.intra_op_threads)));
    PENSTOCK_RETURN_IF_ERROR(check(ort.AddSessionConfigEntry(raw_options, "session.intra_op.allow_spinning", "0")));
  }
  // Memory patterns are remembered for every distinct input shape and never dropped, so clients could grow the process without end: a graph
  // of 500 buffers took 26 KB a shape. Without them the smallest model ran 5 % slower (6.6 against 6.3 us), larger ones no slower.
  PENSTOCK_RETURN_IF_ERROR(check(ort.DisableMemPattern(raw_options)));
  // The CPU arena stays on. A small CNN at batch 32 held the process at 187 MB with it and at 173-219 MB without (76-149 MB only after
  // small batches followed), but without it every activation above 32 MB is mapped and unmapped again: 1.3 times the run time.
  OrtSession* raw = nullptr;
  PENSTOCK_RETURN_IF_ERROR(check(ort.CreateSession(runtime.env, options.model_path.c_str(), raw_options, &raw)));
  return OrtHandle<OrtSession>(raw, ort.ReleaseSession);
}

}  // namespace

Result<std::shared_ptr<Session>> OpenOrtSession(const SessionOptions& options) {
  const OrtRuntime* runtime = CurrentOrt();
  if (runtime == nullptr) return Status(StatusCode::kClosed, "ONNX Runtime has not been started");
  Result<OrtHandle<OrtSession>> session = CreateSession(*runtime, options);
  if (!session.ok()) return session.status();
  Result<Signature> signature = ReadSignature(*runtime, session.value().get());
  if (!signature.ok()) return signature.status();
  return std::shared_ptr<Session>(
      std::make_shared<OnnxSession>(*runtime, std::move(session).value(), std::move(signature).value()));
}

}  // namespace penstock::session
