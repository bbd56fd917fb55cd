// Which work is let in, what runs next, and when: the whole policy of one model version.
//
// Pure: no threads, no clock (every call is told the time, monotonic nanoseconds that never go back), not thread-safe: the pipeline guards
// it with its own lock, a simulation runs millions of schedules through it. Unless the options say when batches start, it refuses early
// and starts at once (reference/batching.md 6 to 9; bench/results holds what the simulation says of this code).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "batching/batch_former.h"
#include "batching/batch_queue.h"
#include "batching/batching_options.h"
#include "batching/forecast.h"
#include "batching/queue_item.h"
#include "batching/retry_advice.h"
#include "batching/run_times.h"

namespace penstock::batching {

class Batcher {
 public:
  explicit Batcher(BatchingOptions options);

  // Takes `*item` (leaving null) only when it returns OK. Errors: kQueueFull naming the limit; kDeadlineUnreachable when the item is
  // predicted to finish too late. Both carry retry_after_ms. With nothing queued and a lane free it refuses nothing, whatever the
  // estimates and bounds. An item whose deadline has passed already is kRequestTimeout.
  Status Offer(std::shared_ptr<QueueItem>* item, int64_t now_ns);

  struct Dropped {
    std::shared_ptr<QueueItem> item;
    Status status;  // kRequestTimeout
  };
  struct Step {
    std::vector<std::shared_ptr<QueueItem>> batch;  // in order; empty: nothing starts now
    int64_t wait_until_ns = INT64_MAX;              // with an empty batch: ask again then, or when an item has come or a lane is done
    std::vector<Dropped> dropped;                   // end these; also beside a batch
  };
  // For a lane that is free (0 <= lane < lanes). A batch that it gives counts as started on this lane now, until Finished.
  Step Next(int lane, int64_t now_ns);

  // The batch of `lane` has ended. `learn`: its time tells something about the next ones (it ran to its end, in one go).
  void Finished(int lane, int64_t now_ns, bool learn);

  // A run of `rows` rows did not fit into the memory of its device: later batches get half of them at most, one request of more rows alone
  // excepted. The limit doubles each time kRunsPerDoubling runs in a row have succeeded, until it is the configured one again. A single row
  // says nothing about batches. Items are not touched.
  void OutOfMemory(int64_t rows);
  // Rows that a batch may have now; 0 = as many as configured.
  int64_t batch_limit() const { return options_.max_batch_rows == configured_rows_ ? 0 : options_.max_batch_rows; }
  // A batch that is too large costs its requests one failed run and two halves: so many runs make that a small part.
  static constexpr int64_t kRunsPerDoubling = 64;

  // Ends what has waited too long and delays what its policy delays. To be called at next_expiry_ns(), however busy the lanes are; what is
  // due within BatchQueue::kExpiryGrainNs of a call waits until then. Free lanes ask again after it.
  void Expire(int64_t now_ns, std::vector<Dropped>* dropped);
  int64_t next_expiry_ns() const;  // INT64_MAX = none

  // Takes this very item out; false when it is not queued (any more). Free lanes ask again after it: the rest may have a preferred size.
  bool Remove(const QueueItem* item);
  // Takes everything out, in the order in which it would have run.
  std::vector<std::shared_ptr<QueueItem>> TakeAll();

  // What a warm-up has measured: a run of `rows` rows while `busy` lanes were running, itself included, took `ns`.
  void Learn(int busy, int64_t rows, int64_t ns);

  size_t size() const { return queue_.size(); }
  uint64_t bytes() const { return queue_.bytes(); }
  // As they hold now: max_batch_rows may be less than configured.
  const BatchingOptions& options() const { return options_; }

 private:
  struct Lane {
    bool busy = false;
    int busy_lanes = 0;  // when its batch started, itself included
    int64_t rows = 0;
    int64_t started_ns = 0;
    int64_t ends_ns = 0;  // as planned
  };
  // What admission thinks of an item: when it ends if it is let in, and whether a recent run says so.
  struct Outlook {
    int64_t finish_ns = 0;
    bool fresh = false;
  };

  int busy_lanes() const;
  // For `busy` lanes, 1..lanes. While they have learned nothing, those for fewer; then for more.
  const RunTimes& TimesFor(int busy) const;
  Status Admit(const QueueItem& item, uint64_t level, int64_t now_ns);
  Outlook Predict(const QueueItem& item, uint64_t level, int64_t now_ns);
  int64_t RunAllAhead(const QueueItem& item, uint64_t level);
  double RowsPerSecond(int64_t item_rows) const;
  Status Refuse(StatusCode code, const std::string& message, const QueueItem& item, int64_t overshoot_ns, int64_t now_ns);
  // What to start, of a queue that may be empty; takes out what it meets that must not run.
  BatchPlan Form(int64_t now_ns, std::vector<Dropped>* dropped);
  void DropHopeless(int64_t now_ns, std::vector<Dropped>* dropped);
  int64_t SpacedStart(const BatchPlan& plan, int64_t now_ns) const;
  int64_t LatestStart(const BatchPlan& plan, int64_t now_ns) const;
  void Start(int lane, int64_t rows, int64_t now_ns);

  BatchingOptions options_;  // max_batch_rows is the limit, everything else stays
  const int64_t configured_rows_;
  int64_t runs_in_a_row_ = 0;  // that succeeded since the limit last changed
  BatchQueue queue_;
  std::vector<RunTimes> run_times_;  // [busy lanes - 1]: lanes share a device
  int64_t runs_ = 0;                 // of batches that taught something; a warm-up counts as just before the first
  RetryAdvice retry_;
  std::vector<Lane> lanes_;
  int64_t last_start_ns_ = 0;  // of any lane
  int64_t last_run_ns_ = 0;    // what that batch was expected to take
  Forecast forecast_;          // scratch of Predict
  std::vector<int64_t> ahead_;  // rows of batches; scratch of RunAllAhead, as the next
  std::vector<size_t> open_of_group_;
};

}  // namespace penstock::batching
