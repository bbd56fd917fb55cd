#include "simulation/random_schedule.h"

#include <algorithm>
#include <string>

namespace penstock::simulation {
namespace {

constexpr int64_t kMicrosecond = 1000;
constexpr int64_t kTickNs = 100 * kMicrosecond;

// In half of the schedules all times are whole ticks, so that several things are due at the same moment.
int64_t Whole(int64_t ns, int64_t tick_ns) { return (ns + tick_ns - 1) / tick_ns * tick_ns; }

template <typename T, size_t N>
T OneOf(Random* random, const T (&values)[N]) {
  return values[static_cast<size_t>(random->Between(0, N - 1))];
}

uint64_t TimeoutUs(Random* random, int64_t most_ns, int64_t tick_ns) {
  return static_cast<uint64_t>(Whole(random->Between(1, 1 + most_ns / kMicrosecond) * kMicrosecond, tick_ns) / kMicrosecond);
}

batching::QueuePolicy MakePolicy(Random* random, int64_t full_run_ns, int64_t tick_ns) {
  batching::QueuePolicy policy;
  policy.timeout_action = random->Chance(0.5) ? batching::TimeoutAction::kReject : batching::TimeoutAction::kDelay;
  if (random->Chance(0.5)) policy.default_timeout_us = TimeoutUs(random, 4 * full_run_ns, tick_ns);
  policy.allow_timeout_override = random->Chance(0.5);
  if (random->Chance(0.3)) policy.max_queue_size = static_cast<size_t>(random->Between(1, 12));
  return policy;
}

void MakeQueueOptions(Random* random, int64_t full_run_ns, int64_t tick_ns, batching::QueueOptions* queue) {
  if (random->Chance(0.3)) queue->max_items = static_cast<size_t>(random->Between(1, 24));
  if (random->Chance(0.3)) queue->max_bytes = static_cast<uint64_t>(random->Between(1, 400));
  if (random->Chance(0.5)) {
    queue->priority_levels = static_cast<uint64_t>(random->Between(1, 4));
    queue->default_priority_level = static_cast<uint64_t>(random->Between(1, static_cast<int64_t>(queue->priority_levels)));
  }
  if (random->Chance(0.6)) queue->default_policy = MakePolicy(random, full_run_ns, tick_ns);
  for (uint64_t level = 1; level <= queue->priority_levels; ++level) {
    if (random->Chance(0.3)) queue->level_policies[level] = MakePolicy(random, full_run_ns, tick_ns);
  }
}

void MakeOptions(Random* random, const RunCurve& curve, int64_t tick_ns, batching::BatchingOptions* options) {
  options->lanes = static_cast<int>(random->Between(1, 4));
  options->merge = random->Chance(0.85);
  options->max_batch_rows = OneOf(random, {int64_t{1}, int64_t{2}, int64_t{3}, int64_t{8}, int64_t{32}, int64_t{100}});
  const int64_t full_run_ns = curve.Ns(options->max_batch_rows);
  if (options->merge && random->Chance(0.4)) options->max_delay_ns = Whole(random->Between(1, full_run_ns), tick_ns);
  if (options->merge && random->Chance(0.3)) {
    for (int64_t rows = 1; rows <= options->max_batch_rows; ++rows) {
      if (random->Chance(0.2)) options->preferred_rows.push_back(rows);
    }
  }
  options->preserve_ordering = random->Chance(0.2);
  if (random->Chance(0.4)) options->latency_goal_ns = Whole(random->Between(1, 6 * full_run_ns), tick_ns);
  MakeQueueOptions(random, full_run_ns, tick_ns, &options->queue);
}

struct Habits {
  int64_t tick_ns;
  int64_t full_run_ns;
  double gap_ns;     // between requests, on average
  double gap_shape;  // of their gamma distribution
  double deadlines;  // share of requests that have one
  double timeouts;
  double cancelled;
  int64_t groups;
  int64_t levels;
  int64_t most_rows;
};

Request MakeRequest(Random* random, const Habits& habits, int64_t at_ns) {
  const int64_t run_ns = habits.full_run_ns;
  Request request;
  request.at_ns = at_ns;
  request.rows = random->Chance(0.5) ? 1 : random->Between(0, habits.most_rows);
  request.bytes = static_cast<uint64_t>(random->Between(0, 60));
  request.priority = static_cast<uint64_t>(random->Between(0, habits.levels + 1));
  if (random->Chance(habits.timeouts)) request.timeout_us = TimeoutUs(random, 5 * run_ns, habits.tick_ns);
  if (random->Chance(0.01)) request.timeout_us = UINT64_MAX;
  if (random->Chance(habits.deadlines)) {
    const int64_t allowed_ns = random->Between(-run_ns / 20, 6 * run_ns);  // now and then it has passed already
    request.deadline_ns = std::max<int64_t>(1, Whole(at_ns + allowed_ns, habits.tick_ns));
  }
  if (random->Chance(habits.cancelled)) request.cancelled_ns = Whole(at_ns + random->Between(0, 3 * run_ns), habits.tick_ns);
  request.group = std::string(static_cast<size_t>(random->Between(1, habits.groups)), 'g');
  return request;
}

}  // namespace

RandomSchedule MakeSchedule(uint64_t seed) {
  Random random(seed);
  RandomSchedule schedule;
  Habits habits;
  habits.tick_ns = random.Chance(0.5) ? 1 : kTickNs;
  schedule.curve = {"random", Whole(random.Between(1, 3'000'000), habits.tick_ns), Whole(random.Between(0, 300'000), habits.tick_ns),
                    random.Chance(0.3)};
  MakeOptions(&random, schedule.curve, habits.tick_ns, &schedule.options);
  if (habits.tick_ns == 1 && random.Chance(0.8)) schedule.disturbance.noise = 0.3 * random.Uniform();
  if (random.Chance(0.2)) schedule.disturbance.slow_share = 0.5 * random.Uniform();
  schedule.disturbance.slow_factor = 3;
  if (random.Chance(0.2)) schedule.disturbance.outlier_run = random.Between(0, 10);
  if (random.Chance(0.7)) schedule.warmed_up_with = OneOf(&random, {0.1, 0.5, 1.0, 3.0});

  const batching::BatchingOptions& options = schedule.options;
  habits.full_run_ns = schedule.curve.Ns(options.max_batch_rows);
  habits.levels = static_cast<int64_t>(options.queue.priority_levels);
  habits.most_rows = random.Chance(0.5) ? options.max_batch_rows : (options.max_batch_rows + 3) / 4;
  const double rows_per_request = (1 + static_cast<double>(habits.most_rows) / 2) / 2;
  const double rows_at_once = static_cast<double>(options.max_batch_rows * options.lanes);
  const double load = OneOf(&random, {0.2, 0.8, 1.5, 5.0});
  habits.gap_ns = rows_per_request * static_cast<double>(habits.full_run_ns) / (load * rows_at_once);
  habits.gap_shape = OneOf(&random, {1.0, 0.25, 0.0625});
  habits.deadlines = OneOf(&random, {0.0, 0.5, 1.0});
  habits.timeouts = OneOf(&random, {0.0, 0.3});
  habits.cancelled = OneOf(&random, {0.0, 0.1, 0.9});
  habits.groups = OneOf(&random, {int64_t{1}, int64_t{1}, int64_t{3}});
  double now_ns = 1;
  for (int64_t count = random.Between(1, 150); count > 0; --count) {
    now_ns += random.Gamma(habits.gap_shape, habits.gap_ns);
    schedule.requests.push_back(MakeRequest(&random, habits, Whole(static_cast<int64_t>(now_ns), habits.tick_ns)));
  }
  const auto last_ns = static_cast<int64_t>(now_ns) + 2 * habits.full_run_ns;
  if (random.Chance(0.3)) schedule.close_ns = Whole(random.Between(1, last_ns), habits.tick_ns);
  schedule.timer_last = random.Chance(0.5);
  return schedule;
}

}  // namespace penstock::simulation
