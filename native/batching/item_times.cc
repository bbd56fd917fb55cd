#include "batching/item_times.h"

#include "base/checked_math.h"

namespace penstock::batching {
namespace {

// Of two moments, 0 = none each, the earlier.
int64_t Earlier(int64_t a, int64_t b) {
  if (a == 0 || b == 0) return a + b;
  return std::min(a, b);
}

// 0 = none stays none.
int64_t After(int64_t now_ns, uint64_t timeout_us) {
  uint64_t ns = 0;
  if (timeout_us == 0) return 0;
  if (!CheckedMul(timeout_us, 1000, &ns) || ns > static_cast<uint64_t>(INT64_MAX)) return INT64_MAX;
  return SaturatingAdd(now_ns, static_cast<int64_t>(ns));
}

}  // namespace

void StampTimes(QueueItem* item, const QueuePolicy& policy, const BatchingOptions& options, int64_t now_ns) {
  const bool honoured = policy.default_timeout_us == 0 || policy.allow_timeout_override;
  const int64_t asked = honoured ? After(now_ns, item->timeout_us) : 0;
  const int64_t queue_timeout = Earlier(asked, After(now_ns, policy.default_timeout_us));
  const bool rejects = policy.timeout_action == TimeoutAction::kReject;

  const int64_t own_deadline = Earlier(item->deadline_ns, rejects ? asked : 0);
  item->enqueued_ns = now_ns;
  item->finish_by_ns = own_deadline;
  if (own_deadline == 0 && options.latency_goal_ns > 0) item->finish_by_ns = SaturatingAdd(now_ns, options.latency_goal_ns);
  item->expires_ns = Earlier(options.decides_itself() ? item->finish_by_ns : own_deadline, rejects ? queue_timeout : 0);
  item->delays_ns = rejects ? 0 : queue_timeout;
  item->admitted_idle = false;
}

}  // namespace penstock::batching
