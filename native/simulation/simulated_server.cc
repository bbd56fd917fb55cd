#include "simulation/simulated_server.h"

#include <algorithm>
#include <utility>

namespace penstock::simulation {
namespace {

constexpr int kWarmUpRuns = 3;  // of each size, as pipeline/warm_up.cc has it

batching::BatchingOptions OptionsOf(const FleetJob& job) {
  batching::BatchingOptions options;
  options.queue.max_items = 0;  // unbounded
  options.lanes = static_cast<int>(job.lanes);
  options.merge = job.max_batch_rows > 1;
  options.max_batch_rows = job.max_batch_rows;
  options.max_delay_ns = job.max_queue_delay_ns;
  options.latency_goal_ns = job.latency_goal_ns;
  return options;
}

// Without a goal, run times decide only how far apart several lanes start.
bool UsesRunTimes(const FleetJob& job) { return job.latency_goal_ns > 0 || (job.lanes > 1 && job.max_queue_delay_ns == 0); }

}  // namespace

SimulatedServer::SimulatedServer(const FleetJob& job, const RunTable& runs, std::vector<Life> lives, uint64_t seed, FleetTotals* totals)
    : job_(job), runs_(runs), lives_(std::move(lives)), learns_(UsesRunTimes(job)), totals_(*totals), random_(seed) {
  request_.rows = job.rows_per_request;
  for (const Life& life : lives_) CountLaneTime(life.begin_ns, life.end_ns, static_cast<double>(job.lanes), &totals_.lane_up_ns);
}

void SimulatedServer::RunUntil(int64_t end_ns) {
  for (; life_ < lives_.size() && lives_[life_].begin_ns < end_ns; ++life_) {
    if (simulator_ == nullptr) BeginLife();
    simulator_->RunUntil(std::min(end_ns, lives_[life_].end_ns));
    if (lives_[life_].end_ns > end_ns) break;
    EndLife();
  }
  inbox_.erase(inbox_.begin(), inbox_.begin() + static_cast<std::ptrdiff_t>(inbox_next_));
  inbox_next_ = 0;
}

void SimulatedServer::BeginLife() {
  batcher_ = std::make_unique<batching::Batcher>(OptionsOf(job_));
  if (learns_) WarmUp();
  thread_free_ns_.assign(static_cast<size_t>(job_.front_end_threads), 0);
  next_thread_ = 0;
  turn_free_ns_.assign(static_cast<size_t>(std::min(job_.runs_at_once, job_.lanes)), 0);
  Simulator::World world;
  world.next_request = [this] { return NextRequest(); };
  world.run_ns = [this](const RunStart& run) { return RunNs(run); };
  world.ended = [this](const SimulatedItem& item, int64_t now_ns) { Ended(item, now_ns); };
  world.learn = learns_;
  simulator_ = std::make_unique<Simulator>(batcher_.get(), std::move(world));
}

void SimulatedServer::EndLife() {
  for (; inbox_next_ < inbox_.size() && inbox_[inbox_next_] < lives_[life_].end_ns; ++inbox_next_) {
    if (IsCounted(inbox_[inbox_next_])) ++in_flight_;
  }
  totals_.lost += in_flight_;
  in_flight_ = 0;
  simulator_.reset();
  batcher_.reset();
}

// A server is ready only after it has timed the sizes 1, 2, 4 ... and the largest, alone.
void SimulatedServer::WarmUp() {
  const bool merges = job_.max_batch_rows > 1;
  const int64_t largest = merges ? job_.max_batch_rows : job_.rows_per_request;
  for (int64_t rows = merges ? 1 : largest;; rows = rows > largest / 2 ? largest : rows * 2) {
    for (int i = 0; i < kWarmUpRuns; ++i) batcher_->Learn(1, rows, static_cast<int64_t>(runs_.Ns(rows, random_.Uniform())));
    if (rows == largest) return;
  }
}

// Threads take requests in turns, which for equal times is as if all served one line.
const Request* SimulatedServer::NextRequest() {
  if (inbox_next_ == inbox_.size() || inbox_[inbox_next_] >= lives_[life_].end_ns) return nullptr;
  request_.sent_ns = inbox_[inbox_next_++];
  if (IsCounted(request_.sent_ns)) ++in_flight_;
  int64_t& free_ns = thread_free_ns_[next_thread_];
  if (++next_thread_ == thread_free_ns_.size()) next_thread_ = 0;
  free_ns = std::max(free_ns, request_.sent_ns) + job_.front_end_ns;
  request_.at_ns = free_ns;
  return &request_;
}

int64_t SimulatedServer::RunNs(const RunStart& run) {
  const size_t busy = std::min(static_cast<size_t>(run.busy_lanes), job_.lane_slowdown.size());
  const double ns = runs_.Ns(run.rows, random_.Uniform()) * job_.lane_slowdown[busy - 1];
  const int64_t run_ns = TakeTurn(run.at_ns, std::max<int64_t>(1, static_cast<int64_t>(ns)));
  if (IsCounted(run.at_ns)) ++totals_.runs[run.rows];
  CountLaneTime(run.at_ns, std::min(run.at_ns + run_ns, lives_[life_].end_ns), 1, &totals_.lane_busy_ns);
  return run_ns;
}

// How long a lane has to do with a run that takes `run_ns` where it need not wait for its turn.
int64_t SimulatedServer::TakeTurn(int64_t at_ns, int64_t run_ns) {
  const int64_t aside_ns = std::min(job_.aside_ns, run_ns - 1);
  const int64_t asks_ns = at_ns + aside_ns / 2;
  int64_t& free_ns = *std::min_element(turn_free_ns_.begin(), turn_free_ns_.end());
  free_ns = std::max(free_ns, asks_ns) + run_ns - aside_ns;
  return free_ns + aside_ns - aside_ns / 2 - at_ns;
}

void SimulatedServer::Ended(const SimulatedItem& item, int64_t now_ns) {
  const int64_t answered_ns = now_ns + job_.fixed_ns;
  const bool answered = item.ending == Ending::kAnswered;
  if (!IsCounted(item.sent_ns) || (answered && answered_ns >= lives_[life_].end_ns)) return;  // or lost on its way out
  --in_flight_;
  if (!answered) {
    ++totals_.refused;
    return;
  }
  const int64_t latency_ns = answered_ns - item.sent_ns;
  ++totals_.answered;
  if (job_.goal_ns > 0 && latency_ns > job_.goal_ns) ++totals_.late;
  totals_.latency.Record(latency_ns);
}

void SimulatedServer::CountLaneTime(int64_t from_ns, int64_t to_ns, double lanes, double* total) const {
  const int64_t begin_ns = std::max(from_ns, kStartNs + job_.warm_up_ns);
  const int64_t end_ns = std::min(to_ns, kStartNs + job_.arrivals.length_ns);
  if (end_ns > begin_ns) *total += lanes * static_cast<double>(end_ns - begin_ns);
}

}  // namespace penstock::simulation
