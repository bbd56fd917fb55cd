#include "session/converting_session.h"

#include <algorithm>
#include <new>
#include <utility>

#include "base/checked_math.h"

namespace penstock::session {
namespace {

class ConvertingSession final : public Session {
 public:
  // `conversions`: those that are left to the CPU; empty where `inner` does them all.
  ConvertingSession(std::shared_ptr<Session> inner, Signature signature, InputConversions conversions)
      : inner_(std::move(inner)), signature_(std::move(signature)), conversions_(std::move(conversions)) {}

  const Signature& signature() const override { return signature_; }
  std::unique_ptr<RunControl> NewRunControl() const override { return inner_->NewRunControl(); }
  std::unique_ptr<RunControl> NewLaneControl() const override { return inner_->NewLaneControl(); }

  Status Run(const std::vector<Tensor>& inputs, const std::vector<size_t>& outputs, RunControl& control,
             std::vector<Tensor>* results) const override {
    if (conversions_.empty()) return inner_->Run(inputs, outputs, control, results);
    try {
      std::vector<Tensor> converted = inputs;
      for (size_t i = 0; i < std::min(converted.size(), conversions_.size()); ++i) {
        if (conversions_[i] != nullptr && !converted[i].left_out()) PENSTOCK_RETURN_IF_ERROR(Convert(*conversions_[i], &converted[i]));
      }
      return inner_->Run(converted, outputs, control, results);
    } catch (const std::bad_alloc&) {
      return Status(StatusCode::kMemory, "not enough memory for the inputs of a run");
    }
  }

  memory::BlockSource& input_memory() const override { return inner_->input_memory(); }
  // What is converted here is read here.
  bool TakesRowsApart(size_t input) const override {
    const bool here = input < conversions_.size() && conversions_[input] != nullptr;
    return !here && inner_->TakesRowsApart(input);
  }
  int64_t PaddedRows(int64_t rows) const override { return inner_->PaddedRows(rows); }
  void ReleaseSpareMemory() const override { inner_->ReleaseSpareMemory(); }
  void MeasureMemory() const override { inner_->MeasureMemory(); }
  std::vector<MemoryUse> memory_use() const override { return inner_->memory_use(); }
  std::vector<std::string> notes() const override { return inner_->notes(); }
  std::vector<std::string> gpus() const override { return inner_->gpus(); }

 private:
  Status Convert(const device::InputConversion& conversion, Tensor* tensor) const {
    const size_t elements = tensor->bytes.size / DataTypeSize(conversion.from);
    uint64_t bytes = 0;
    if (!CheckedMul(elements, sizeof(float), &bytes)) return Status(StatusCode::kMemory, "the size of a converted input overflows");
    Result<std::shared_ptr<memory::Block>> block = inner_->input_memory().Allocate(bytes);
    if (!block.ok()) return block.status();
    device::ConvertInput(conversion, tensor->bytes.data, elements, reinterpret_cast<float*>(block.value()->data()));
    tensor->dtype = DataType::kFp32;
    tensor->bytes = memory::WholeSlice(std::move(block).value());
    return Status::Ok();
  }

  const std::shared_ptr<Session> inner_;
  const Signature signature_;
  const InputConversions conversions_;
};

}  // namespace

Result<std::shared_ptr<Session>> WithConversions(std::shared_ptr<Session> session, const std::vector<NamedConversion>& conversions) {
  if (conversions.empty()) return session;
  Signature signature = session->signature();
  InputConversions by_input(signature.inputs.size());
  for (const auto& [name, conversion] : conversions) {
    const auto refuse = [&name = name](const std::string& why) {
      return Status(StatusCode::kModelConfig, "conversion of input '" + name + "': " + why);
    };
    const auto named = [&name = name](const TensorSpec& spec) { return spec.name == name; };
    const auto spec = std::find_if(signature.inputs.begin(), signature.inputs.end(), named);
    if (spec == signature.inputs.end()) return refuse("the model has no such input");
    std::shared_ptr<const device::InputConversion>& place = by_input[static_cast<size_t>(spec - signature.inputs.begin())];
    if (place != nullptr) return refuse("found twice");
    if (spec->dtype != DataType::kFp32) return refuse("the model wants " + std::string(DataTypeName(spec->dtype)) + ", expected FP32");
    if (const Status checked = device::CheckConversion(conversion); !checked.ok()) return refuse(checked.message());
    spec->dtype = conversion.from;
    place = std::make_shared<device::InputConversion>(conversion);
  }
  Result<std::shared_ptr<Session>> on_device = session->ConvertingOnDevice(by_input);
  if (!on_device.ok()) return on_device.status();
  if (on_device.value() != nullptr) {
    session = std::move(on_device).value();
    by_input.clear();
  }
  return std::shared_ptr<Session>(std::make_shared<ConvertingSession>(std::move(session), std::move(signature), std::move(by_input)));
}

}  // namespace penstock::session
