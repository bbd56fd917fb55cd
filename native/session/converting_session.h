// A session whose clients may send some inputs in a smaller type than the model wants, converted before each run.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "session/ort_environment.h"
#include "session/session.h"

namespace penstock::session {

// `session` itself where there is nothing to convert. Otherwise its signature shows the types that conversions start from; they are done on
// the CPU, by the lane, into blocks of the session's input_memory(). Errors: kModelConfig naming the input and what is wrong.
Result<std::shared_ptr<Session>> WithConversions(std::shared_ptr<Session> session, const std::vector<NamedConversion>& conversions);

}  // namespace penstock::session
