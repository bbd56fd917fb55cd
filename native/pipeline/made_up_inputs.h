// Inputs that nobody has sent, to run a model with before it serves, and what its answers to them are worth.
#pragma once

#include <cstdint>
#include <vector>

#include "base/status.h"
#include "pipeline/pad_rows.h"
#include "session/session.h"

namespace penstock::pipeline {

struct MadeUpShape {
  bool batched = false;   // the first dimension of every input is the batch
  int64_t rows = 1;       // of the batch
  int64_t first_row = 0;  // contents depend on the row: row 1 of {0, 1} equals row 0 of {1}
  int64_t open_dim = 1;   // what every other dimension that the signature leaves open gets
  const Ragged* ragged = nullptr;  // not null: the dimensions that these inputs may differ in get
  int64_t length = 1;              // so much instead
};

// One tensor per input of the signature, always the same ones; of the optional inputs only those at the positions `optional` are given, the
// others left out. Floats lie in [0, 1); integers and bools alternate between 0 and 1, valid in
// any embedding table, so that neighbouring rows differ; BYTES are "1" and "2". Errors: kMemory, also for a size that overflows.
Result<std::vector<session::Tensor>> MakeUpInputs(const session::Signature& signature, const MadeUpShape& shape,
                                                  const std::vector<size_t>& optional = {});

// Whether two tensors have the same dtype and dims, and elements that agree: floats within 1e-3 relative plus 1e-5 absolute, because the
// batch size changes rounding (FP16 and BF16 within 1e-2 relative: they have 11 and 8 significant bits), all others exactly.
bool Agree(const session::Tensor& a, const session::Tensor& b);

}  // namespace penstock::pipeline
