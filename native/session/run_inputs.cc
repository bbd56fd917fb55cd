#include "session/run_inputs.h"

#include <string>

namespace penstock::session {

Status CheckInputs(const Signature& signature, const std::vector<Tensor>& inputs) {
  if (inputs.size() > signature.inputs.size()) {
    return Status(StatusCode::kInternal, "a run got " + std::to_string(inputs.size()) + " inputs, expected at most " +
                                             std::to_string(signature.inputs.size()));
  }
  for (size_t i = 0; i < signature.inputs.size(); ++i) {
    const TensorSpec& spec = signature.inputs[i];
    const bool given = i < inputs.size() && !inputs[i].left_out();
    if (!given && !spec.optional) return Status(StatusCode::kInternal, "a run got no input '" + spec.name + "', which the model requires");
  }
  return Status::Ok();
}

}  // namespace penstock::session
