// From the pieces a request arrived in to the contiguous memory a session runs on: one copy a byte, at most.
#pragma once

#include <cstdint>
#include <vector>

#include "base/status.h"
#include "pipeline/job.h"
#include "session/session.h"

namespace penstock::pipeline {

struct Gathered {
  std::vector<session::Tensor> tensors;  // one per input, in order; contiguous, starting at multiples of BlockPool::kAlignment
  uint64_t bytes_received = 0;
  uint64_t bytes_copied = 0;
};

// [lane thread] Releases each input's slices as soon as its bytes are copied, and leaves `*inputs` empty when it returns OK.
// Errors: kMemory. May throw std::bad_alloc.
Result<Gathered> Gather(std::vector<JobInput>* inputs);

}  // namespace penstock::pipeline
