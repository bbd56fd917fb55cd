#include "pipeline/batch_run.h"

#include <algorithm>
#include <new>
#include <string>
#include <utility>

#include "base/clock.h"
#include "pipeline/gather.h"
#include "pipeline/split.h"
#include "pipeline/watched_run.h"

namespace penstock::pipeline {
namespace {

// Gives the inputs back at once: other halves of the batch may need the memory.
void End(Job* job, JobResult result) noexcept {
  job->result = std::move(result);
  job->inputs.clear();
  job->ended = true;
}

// A run that was told to stop, or a GPU that is gone for this process: fewer jobs would not do better.
bool EndsEveryRun(StatusCode code) {
  return code == StatusCode::kRequestCancelled || code == StatusCode::kGpuFault || code == StatusCode::kGpuLost;
}

// Outputs below this size are not counted: what they can hold in all is bounded by the number of connections.
constexpr uint64_t kChargedFromBytes = 64 * 1024;

class BatchRun {
 public:
  BatchRun(const session::Session& session, session::RunControl& control, const BatchRunOptions& options, Counters* counters,
           Heartbeat* heartbeat)
      : session_(session), control_(control), options_(options), counters_(*counters), heartbeat_(heartbeat) {}

  // Ends all jobs of [first, last), which has one at least.
  BatchEnd RunAll(Job** first, Job** last) {
    end_.in_one_go = Run(first, last);
    return end_;
  }

 private:
  // Returns true when one run was enough.
  bool Run(Job** first, Job** last) {
    const Status status = RunOnce(first, last);
    if (status.ok()) return true;
    if (status.code() == StatusCode::kGpuMemory) OutOfMemory(first, last);
    if (fatal_.ok() && EndsEveryRun(status.code())) fatal_ = status;
    if (last - first == 1 || !fatal_.ok()) {
      std::for_each(first, last, [&status](Job* job) { End(job, JobResult{status, {}}); });
      return false;
    }
    Job** const middle = first + (last - first) / 2;
    RunWanted(first, middle);
    RunWanted(middle, last);
    return false;
  }

  void OutOfMemory(Job** first, Job** last) {
    int64_t rows = 0;
    std::for_each(first, last, [&rows](const Job* job) { rows += job->rows; });
    end_.rows_out_of_memory = end_.rows_out_of_memory == 0 ? rows : std::min(end_.rows_out_of_memory, rows);
    session_.ReleaseSpareMemory();
  }

  // Leaves out whom nobody wants any more.
  void RunWanted(Job** first, Job** last) {
    Job** const end = std::remove_if(first, last, [](Job* job) {
      if (!job->cancelled) return false;
      End(job, JobResult{Cancelled(), {}});
      return true;
    });
    if (end == first) return;
    if (fatal_.ok()) {
      Run(first, end);
    } else {
      std::for_each(first, end, [this](Job* job) { End(job, JobResult{fatal_, {}}); });
    }
  }

  // One run of all these jobs. On failure their results are untouched, and they can be run again.
  Status RunOnce(Job** first, Job** last) {
    try {
      Execution execution;
      execution.begin_ns = MonotonicNs();
      const std::vector<Job*> jobs(first, last);
      for (const Job* job : jobs) execution.rows += job->rows;
      const int64_t padding = PaddingOf(execution.rows);
      memory::BlockSource& memory = session_.input_memory();
      Result<Gathered> gathered = options_.ragged == nullptr ? Gather(jobs, padding, &memory, options_.apart)
                                                             : Gather(jobs, padding, &memory, options_.apart, options_.ragged->inputs);
      if (!gathered.ok()) return gathered.status();
      counters_.RecordInput(0, gathered.value().bytes_copied);
      execution.input_ready_ns = MonotonicNs();

      const std::vector<size_t> wanted = WantedOutputs(jobs);
      std::vector<session::Tensor> outputs;
      const Status status = RunSession(gathered.value().tensors, wanted, &execution, &outputs);
      for (Job* job : jobs) {
        job->timing.input_ready_ns = execution.input_ready_ns;
        job->timing.run_end_ns = execution.run_end_ns;
      }
      if (!status.ok()) return status;
      ChargeOutputs(&outputs);

      std::vector<std::vector<session::Tensor>> parts;
      PENSTOCK_RETURN_IF_ERROR(Distribute(jobs, padding, wanted, std::move(outputs), &parts));
      execution.end_ns = MonotonicNs();
      counters_.RecordExecution(execution);
      // Nothing below can fail, so that no job loses its inputs and is run again.
      for (size_t i = 0; i < jobs.size(); ++i) End(jobs[i], JobResult{Status::Ok(), std::move(parts[i])});
      return Status::Ok();
    } catch (const std::bad_alloc&) {
      return NoMemoryForRequest();
    }
  }

  Status RunSession(const std::vector<session::Tensor>& inputs, const std::vector<size_t>& wanted, Execution* execution,
                    std::vector<session::Tensor>* outputs) const {
    WatchedRun run = RunWatched(session_, inputs, wanted, control_, heartbeat_, execution->input_ready_ns, outputs);
    execution->run_end_ns = run.end_ns;
    return std::move(run.status);
  }

  int64_t PaddingOf(int64_t rows) const {
    return std::max<int64_t>(0, std::min(session_.PaddedRows(rows), options_.pad_up_to_rows) - rows);
  }

  // A view keeps the whole output alive, however small its part is: one answer that is slow to leave holds those of all who shared the run.
  void ChargeOutputs(std::vector<session::Tensor>* outputs) const {
    for (session::Tensor& output : *outputs) Charge(&output);
  }

  void Charge(session::Tensor* output) const {
    struct Charged {
      memory::Owner bytes;
      memory::Owner charge;
    };
    if (options_.charge == nullptr || output->bytes.size < kChargedFromBytes) return;
    memory::Owner charge = options_.charge(output->bytes.size);
    output->bytes.owner = std::make_shared<const Charged>(Charged{std::move(output->bytes.owner), std::move(charge)});
  }

  // What at least one job asks for. One job alone keeps its order.
  static std::vector<size_t> WantedOutputs(const std::vector<Job*>& jobs) {
    if (jobs.size() == 1) return jobs.front()->outputs;
    std::vector<size_t> wanted;
    for (const Job* job : jobs) wanted.insert(wanted.end(), job->outputs.begin(), job->outputs.end());
    std::sort(wanted.begin(), wanted.end());
    wanted.erase(std::unique(wanted.begin(), wanted.end()), wanted.end());
    return wanted;
  }

  // (*parts)[j] = the outputs of jobs[j]; `outputs` are those of the run, as `wanted` names them.
  Status Distribute(const std::vector<Job*>& jobs, int64_t padding, const std::vector<size_t>& wanted,
                    std::vector<session::Tensor> outputs, std::vector<std::vector<session::Tensor>>* parts) const {
    if (!options_.merge && padding == 0) {
      parts->push_back(std::move(outputs));
      return Status::Ok();
    }
    std::vector<int64_t> rows;
    for (const Job* job : jobs) rows.push_back(job->rows);
    if (padding != 0) rows.push_back(padding);
    std::vector<std::vector<session::Tensor>> cut;  // [position in wanted][job], and what the padding gave
    for (size_t i = 0; i < wanted.size(); ++i) {
      Result<std::vector<session::Tensor>> pieces = CutRows(outputs[i], rows, session_.signature().outputs[wanted[i]].name);
      if (!pieces.ok()) return pieces.status();
      cut.push_back(std::move(pieces).value());
      PENSTOCK_RETURN_IF_ERROR(CutToLengths(jobs, wanted[i], &cut.back()));
    }
    parts->resize(jobs.size());
    for (size_t j = 0; j < jobs.size(); ++j) {
      for (const size_t output : jobs[j]->outputs) {
        const auto position = std::find(wanted.begin(), wanted.end(), output) - wanted.begin();
        (*parts)[j].push_back(cut[static_cast<size_t>(position)][j]);
      }
    }
    return Status::Ok();
  }

  // Takes from `pieces`, one a job, what padding has added to output `index`.
  Status CutToLengths(const std::vector<Job*>& jobs, size_t index, std::vector<session::Tensor>* pieces) const {
    if (options_.ragged == nullptr) return Status::Ok();
    const std::vector<RaggedOutput>& outputs = options_.ragged->outputs;
    const auto output = std::find_if(outputs.begin(), outputs.end(), [index](const RaggedOutput& one) { return one.output == index; });
    if (output == outputs.end()) return Status::Ok();
    int64_t shortest = INT64_MAX;
    int64_t longest = 0;
    for (const Job* job : jobs) {
      const int64_t length = LengthOf(*job, *options_.ragged);
      shortest = std::min(shortest, length);
      longest = std::max(longest, length);
    }
    if (shortest == longest) return Status::Ok();
    const std::string& name = session_.signature().outputs[index].name;
    uint64_t copied = 0;
    for (size_t j = 0; j < jobs.size(); ++j) {
      session::Tensor& piece = pieces->at(j);
      const uint64_t before = copied;
      Result<session::Tensor> cut =
          CutToLength(piece, output->dims, longest, LengthOf(*jobs[j], *options_.ragged), name, &memory::BlockPool::Process(), &copied);
      if (!cut.ok()) return cut.status();
      piece = std::move(cut).value();
      if (copied != before) Charge(&piece);
    }
    counters_.RecordOutput(0, copied);
    return Status::Ok();
  }

  const session::Session& session_;
  session::RunControl& control_;
  const BatchRunOptions& options_;
  Counters& counters_;
  Heartbeat* const heartbeat_;
  BatchEnd end_;
  Status fatal_;  // not OK: no further run makes sense
};

}  // namespace

BatchEnd RunBatch(const session::Session& session, session::RunControl& control, const BatchRunOptions& options,
                  const std::vector<std::shared_ptr<Job>>& jobs, Counters* counters, Heartbeat* heartbeat) noexcept {
  uint64_t received = 0;
  uint64_t copied_before = 0;
  for (const std::shared_ptr<Job>& job : jobs) {
    for (const JobInput& input : job->inputs) received += input.data.size();
    copied_before += job->bytes_copied_before;
  }
  counters->RecordInput(received, copied_before);
  try {
    std::vector<Job*> all;
    all.reserve(jobs.size());
    for (const std::shared_ptr<Job>& job : jobs) all.push_back(job.get());
    return BatchRun(session, control, options, counters, heartbeat).RunAll(all.data(), all.data() + all.size());
  } catch (const std::bad_alloc&) {
    for (const std::shared_ptr<Job>& job : jobs) {
      if (!job->ended) End(job.get(), JobResult{NoMemoryForRequest(), {}});
    }
    return {};
  }
}

}  // namespace penstock::pipeline
