// Requests that are copied once, when they come, to mapped page-locked memory: a kernel of their GPU then reads the rows of a batch where
// they lie, and the lane neither joins them nor has them copied to the device first.
#pragma once

#include <cstdint>
#include <vector>

#include "memory/block.h"
#include "memory/slice.h"
#include "pipeline/job.h"
#include "session/session.h"

namespace penstock::pipeline {

// A kernel's launch and the table of its rows cost microseconds more than a copy of what lies in one piece; the lane joins smaller rows
// faster. Both limits are estimates: `npm run verify:gpu` prints what a link really does.
inline constexpr uint64_t kSmallestRowApart = 4096;
// Of a request. Its thread, which may serve other connections, copies so much in some 30 us. For what is long in one piece a kernel's
// reads over the bus gain nothing on the copy engine.
inline constexpr uint64_t kLargestApart = 256 * 1024;

// Which inputs of the session's signature its runs may get as rows that lie apart.
std::vector<bool> InputsTakenApart(const session::Session& session);

// [any thread, before the job is queued] Copies such inputs to one block of `memory` where that pays: for a job that leaves room for others
// among `max_batch_rows`. The client's slices are released, and the bytes count among Job::bytes_copied_before. Where there is no such
// memory the job stays as it is, for the lane to gather.
void MoveToMappedMemory(const std::vector<bool>& apart, int64_t max_batch_rows, memory::BlockSource* memory, Job* job) noexcept;

// [lane thread] The rows of input `index` of all jobs, in order, each job's in one slice of mapped memory. False, with nothing in `*rows`,
// where one of them lies elsewhere. May throw std::bad_alloc.
bool CollectRowsApart(const std::vector<Job*>& jobs, size_t index, std::vector<memory::Slice>* rows);

}  // namespace penstock::pipeline
