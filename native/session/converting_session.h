// A session whose clients may send some inputs in a smaller type than the model wants, converted before each run.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "device/convert_input.h"
#include "session/session.h"

namespace penstock::session {

// An input that clients send in another type than the model wants.
struct NamedConversion {
  std::string input;
  device::InputConversion conversion;
};

// [loader thread] `session` itself where there is nothing to convert. Otherwise its signature shows the types that conversions start from.
// They are done by the lane: on the GPU where it can, otherwise on the CPU, into blocks of the session's input_memory(). `conversions` are
// of inputs that the model wants as FP32, at most one an input. Errors: kModelConfig naming the input and what is wrong, and those of
// ConvertingOnDevice.
Result<std::shared_ptr<Session>> WithConversions(std::shared_ptr<Session> session, const std::vector<NamedConversion>& conversions);

}  // namespace penstock::session
