// From the pieces requests arrived in to the contiguous memory a session runs on: one copy a byte, at most.
#pragma once

#include <cstdint>
#include <vector>

#include "base/status.h"
#include "memory/block.h"
#include "pipeline/job.h"
#include "pipeline/pad_rows.h"
#include "session/session.h"

namespace penstock::pipeline {

struct Gathered {
  // One per input of the jobs, in order; contiguous, starting at multiples of BlockPool::kAlignment, unless they are rows that lie apart.
  std::vector<session::Tensor> tensors;
  uint64_t bytes_copied = 0;  // of the jobs' inputs; padding is not counted
};

// [lane thread] Joins the inputs of `jobs` (one or more, of one group: same inputs, same shapes beyond the first dimension, but see below)
// along the first dimension, in their order, and appends `padding` rows of zeros (BYTES: of empty elements) to each. One job alone without
// padding keeps its dims, whatever they are. What lies aligned and contiguous already, and may run there (JobInput::in_place), is not copied;
// the rest goes to blocks of `memory`. A session that wants page-locked memory copies from other memory as well: moving it there would gain
// nothing.
//
// Each job's client slices are released as soon as they are copied; its input then refers to its part of the block, so that the same jobs
// can be gathered again in other company. When it fails no job has changed. Errors: kMemory. May throw std::bad_alloc, likewise.
//
// Inputs for which `apart` (one a signature input; missing ones count as false) is true are not copied either where all jobs have them in
// mapped memory (rows_apart.h): their tensors are Tensor::rows then, padding included.
//
// Rows of the inputs named in `ragged` may be of different length: each is padded to the longest of the jobs.
Result<Gathered> Gather(const std::vector<Job*>& jobs, int64_t padding, memory::BlockSource* memory, const std::vector<bool>& apart = {},
                        const std::vector<RaggedInput>& ragged = {});

}  // namespace penstock::pipeline
