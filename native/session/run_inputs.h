// Does a run get the inputs that its model needs?
#pragma once

#include <vector>

#include "base/status.h"
#include "session/session.h"

namespace penstock::session {

// One tensor per signature input, in order; only optional ones may be left out, or missing at the end. Errors: kInternal.
Status CheckInputs(const Signature& signature, const std::vector<Tensor>& inputs);

}  // namespace penstock::session
