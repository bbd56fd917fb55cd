// From the outputs of one run of a batch to the outputs of each job in it: views, no copies.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/status.h"
#include "session/session.h"

namespace penstock::pipeline {

// Cuts `batch` along its first dimension into parts of so many rows each (rows.size() parts). Parts share the owner of `batch`.
// `name` is for the error. Errors: kModelRun when the first dimension is not the sum of `rows`, or BYTES elements do not fill the tensor.
Result<std::vector<session::Tensor>> CutRows(const session::Tensor& batch, const std::vector<int64_t>& rows, const std::string& name);

}  // namespace penstock::pipeline
