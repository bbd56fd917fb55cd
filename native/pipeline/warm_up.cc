#include "pipeline/warm_up.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <memory>
#include <numeric>
#include <system_error>
#include <thread>
#include <utility>

#include "base/clock.h"
#include "pipeline/gather.h"
#include "pipeline/made_up_inputs.h"
#include "pipeline/split.h"
#include "pipeline/watched_run.h"

namespace penstock::pipeline {
namespace {

constexpr int kRunsEach = 3;
constexpr int kPairs = 5;  // of one lane and of two, in turns
// Sizes that open dimensions often take: a short sequence, none at all, an image of either usual side.
constexpr std::array<int64_t, 4> kOpenDims = {8, 1, 32, 224};
// Two lanes are timed over at least this long, so that starting a thread is not what is measured.
constexpr int64_t kPairNs = 5'000'000;

std::string Rows(int64_t rows) { return rows == 1 ? "1 row" : std::to_string(rows) + " rows"; }

class WarmUpRuns {
 public:
  WarmUpRuns(const session::Session& session, const WarmUpOptions& options)
      : session_(session), options_(options), end_ns_(MonotonicNs() + options.budget_ns), all_outputs_(session.signature().outputs.size()) {
    std::iota(all_outputs_.begin(), all_outputs_.end(), size_t{0});
    const size_t lanes = options_.try_two_lanes ? 2 : 1;
    for (size_t i = 0; i < std::max(lanes, session.gpus().size()); ++i) {
      controls_.push_back(session.NewLaneControl());
      heartbeats_.push_back(options.watchdog == nullptr || session.gpus().empty() ? nullptr : Watch(*controls_.back()));
    }
  }

  WarmUpReport Report() {
    if (FindOpenDim()) {
      report_.open_dim = open_dim_;
      if (options_.check_rows && options_.batched && options_.max_batch_rows > 1) CheckRows();
      TimeSizes();
      if (options_.try_two_lanes && !report_.samples.empty()) TimeTwoLanes();
    }
    return std::move(report_);
  }

 private:
  Result<std::vector<session::Tensor>> Inputs(int64_t rows) const {
    return MakeUpInputs(session_.signature(), {options_.batched, rows, 0, open_dim_, nullptr, 1});
  }

  // `lane`: which of the controls.
  Status Run(const std::vector<session::Tensor>& inputs, std::vector<session::Tensor>* outputs, size_t lane = 0) const {
    return RunWatched(session_, inputs, all_outputs_, *controls_[lane], heartbeats_[lane].get(), kUntimed, outputs).status;
  }

  std::unique_ptr<Heartbeat> Watch(const session::RunControl& control) const {
    return options_.watchdog->Watch(options_.model, GpuOf(session_, control), std::make_shared<RunHistory>());
  }

  Status RunRows(int64_t first_row, int64_t rows, const std::vector<size_t>& optional, std::vector<session::Tensor>* outputs) const {
    const Result<std::vector<session::Tensor>> inputs =
        MakeUpInputs(session_.signature(), {options_.batched, rows, first_row, open_dim_, nullptr, 1}, optional);
    if (!inputs.ok()) return inputs.status();
    return Run(inputs.value(), outputs);
  }

  bool HasOpenDims() const {
    for (const session::TensorSpec& spec : session_.signature().inputs) {
      if (spec.optional) continue;
      for (size_t i = options_.batched ? 1 : 0; i < spec.dims.size(); ++i) {
        if (spec.dims[i] < 0) return true;
      }
    }
    return false;
  }

  bool FindOpenDim() {
    Status first_failure;
    for (const int64_t size : kOpenDims) {
      open_dim_ = size;
      std::vector<session::Tensor> outputs;
      const Status status = RunRows(0, 1, {}, &outputs);
      if (status.ok()) return true;
      if (first_failure.ok()) first_failure = status;
      if (!HasOpenDims() || MonotonicNs() >= end_ns_) break;
    }
    report_.notes.push_back("the model did not run on made-up inputs, so nothing was measured before serving: " + first_failure.message());
    return false;
  }

  void CheckRows() {
    std::string why_not = FindDependence({});
    if (why_not.empty() && !options_.optional_inputs.empty()) {
      why_not = FindDependence(options_.optional_inputs);
      if (!why_not.empty()) why_not = "with every optional input given, " + why_not;
    }
    report_.rows_are_independent = why_not.empty();
    if (!why_not.empty()) report_.notes.push_back("rows cannot share a batch: " + why_not);
    if (why_not.empty() && options_.ragged != nullptr) CheckPadding();
  }

  void CheckPadding() {
    std::string why_not = FindPaddingFelt({});
    if (why_not.empty() && !options_.optional_inputs.empty()) {
      why_not = FindPaddingFelt(options_.optional_inputs);
      if (!why_not.empty()) why_not = "with every optional input given, " + why_not;
    }
    report_.rows_may_be_padded = why_not.empty();
    if (!why_not.empty()) report_.notes.push_back("rows of different length cannot share a batch: " + why_not);
  }

  // Row `row` of made-up rows, with this length, for the gather.
  Result<std::shared_ptr<Job>> RaggedRow(int64_t row, int64_t length, const std::vector<size_t>& optional) const {
    const MadeUpShape shape{options_.batched, 1, row, open_dim_, options_.ragged.get(), length};
    Result<std::vector<session::Tensor>> inputs = MakeUpInputs(session_.signature(), shape, optional);
    if (!inputs.ok()) return inputs.status();
    auto job = std::make_shared<Job>();
    for (session::Tensor& tensor : inputs.value()) {
      job->inputs.push_back({tensor.dtype, std::move(tensor.dims), memory::SliceChain(std::move(tensor.bytes)), true});
    }
    return job;
  }

  Status RunJobs(const std::vector<Job*>& jobs, std::vector<session::Tensor>* outputs) const {
    Result<Gathered> gathered = Gather(jobs, 0, &session_.input_memory(), {}, options_.ragged->inputs);
    if (!gathered.ok()) return gathered.status();
    return Run(gathered.value().tensors, outputs);
  }

  // Why a row must not be padded; empty when nothing speaks against it.
  std::string FindPaddingFelt(const std::vector<size_t>& optional) const {
    const std::array<int64_t, 2> lengths = {open_dim_ / 2 + 1, open_dim_};
    if (lengths[0] == lengths[1]) return "the model did not run on rows of " + std::to_string(kOpenDims[0]);
    std::vector<std::shared_ptr<Job>> jobs;
    std::array<std::vector<session::Tensor>, 2> apart;
    for (size_t row = 0; row < lengths.size(); ++row) {
      Result<std::shared_ptr<Job>> job = RaggedRow(static_cast<int64_t>(row), lengths[row], optional);
      if (!job.ok()) return job.status().message();
      jobs.push_back(std::move(job).value());
      if (LengthOf(*jobs.back(), *options_.ragged) == 0) return {};  // none that may differ is given
      const Status alone = RunJobs({jobs.back().get()}, &apart[row]);
      if (!alone.ok()) return "a row of " + std::to_string(lengths[row]) + " alone failed: " + alone.message();
    }
    std::vector<session::Tensor> together;
    const Status status = RunJobs({jobs[0].get(), jobs[1].get()}, &together);
    if (!status.ok()) return "a batch of a row and a shorter one failed: " + status.message();
    for (const size_t i : options_.outputs) {
      const std::string& name = session_.signature().outputs[i].name;
      const Result<std::vector<session::Tensor>> rows = CutRows(together[i], {1, 1}, name);
      if (!rows.ok()) return rows.status().message();
      for (size_t row = 0; row < lengths.size(); ++row) {
        const Result<session::Tensor> own = CutOutput(rows.value()[row], i, lengths[1], lengths[row]);
        if (!own.ok()) return own.status().message();
        if (!Agree(own.value(), apart[row][i])) {
          return "output \"" + name + "\" of a row padded to the longest of its batch differs from that of the same row alone";
        }
      }
    }
    return {};
  }

  Result<session::Tensor> CutOutput(const session::Tensor& row, size_t index, int64_t longest, int64_t length) const {
    for (const RaggedOutput& output : options_.ragged->outputs) {
      uint64_t copied = 0;
      if (output.output != index) continue;
      const std::string& name = session_.signature().outputs[index].name;
      return CutToLength(row, output.dims, longest, length, name, &memory::BlockPool::Process(), &copied);
    }
    return row;
  }

  // Why rows 0 and 1 must not share a batch; empty when nothing speaks against it.
  std::string FindDependence(const std::vector<size_t>& optional) const {
    std::vector<session::Tensor> together;
    const Status status = RunRows(0, 2, optional, &together);
    if (!status.ok()) return "a batch of 2 rows failed: " + status.message();
    for (int64_t row = 0; row < 2; ++row) {
      std::vector<session::Tensor> apart;
      const Status alone = RunRows(row, 1, optional, &apart);
      if (!alone.ok()) return "a row alone failed: " + alone.message();
      for (size_t i = 0; i < together.size(); ++i) {
        const std::string& name = session_.signature().outputs[i].name;
        const Result<std::vector<session::Tensor>> cut = CutRows(together[i], {1, 1}, name);
        if (!cut.ok()) return cut.status().message();
        const Result<std::vector<session::Tensor>> whole = CutRows(apart[i], {1}, name);
        if (!whole.ok()) return whole.status().message();
        if (!Agree(cut.value()[static_cast<size_t>(row)], whole.value()[0])) {
          return "output \"" + name + "\" of two rows run together differs from that of the same rows run apart";
        }
      }
    }
    return {};
  }

  void TimeSizes() {
    const int64_t largest = options_.batched ? options_.max_batch_rows : 1;
    int64_t done = 0;
    for (int64_t rows = 1;; rows = rows > largest / 2 ? largest : rows * 2) {
      uint64_t bytes = 0;
      if (MonotonicNs() >= end_ns_) return EndEarly("time", done, largest);
      const Status status = TimeSize(rows, &bytes);
      if (!status.ok()) {
        report_.notes.push_back("a batch of " + Rows(rows) + " failed in the warm-up: " + status.message());
        return;
      }
      done = rows;
      if (rows == largest) return;
      if (bytes > options_.budget_bytes / 2) return EndEarly("memory", done, largest);  // the next size is about twice this one
    }
  }

  // The first run of a shape on a GPU plans, compiles and allocates: none is left cold, and that time is nobody's run time.
  Status RunOnEachGpu(const std::vector<session::Tensor>& inputs) const {
    for (size_t lane = 0; lane < session_.gpus().size(); ++lane) {
      std::vector<session::Tensor> outputs;
      PENSTOCK_RETURN_IF_ERROR(Run(inputs, &outputs, lane));
    }
    return Status::Ok();
  }

  // `bytes`: of inputs and outputs.
  Status TimeSize(int64_t rows, uint64_t* bytes) {
    const Result<std::vector<session::Tensor>> inputs = Inputs(rows);
    if (!inputs.ok()) return inputs.status();
    PENSTOCK_RETURN_IF_ERROR(RunOnEachGpu(inputs.value()));
    for (int i = 0; i < kRunsEach; ++i) {
      std::vector<session::Tensor> outputs;
      const int64_t begin_ns = MonotonicNs();
      PENSTOCK_RETURN_IF_ERROR(Run(inputs.value(), &outputs));
      report_.samples.push_back({1, rows, MonotonicNs() - begin_ns});
      *bytes = 0;
      for (const session::Tensor& tensor : inputs.value()) *bytes += tensor.bytes.size;
      for (const session::Tensor& tensor : outputs) *bytes += tensor.bytes.size;
    }
    return Status::Ok();
  }

  void EndEarly(const char* lack, int64_t done, int64_t largest) {
    report_.notes.push_back("the warm-up ended for lack of " + std::string(lack) + " after batches of " + Rows(done) + ", " + Rows(largest) +
                            " were wanted");
  }

  // The largest size that was timed and does not keep two lanes busy for more than a quarter of the budget; the smallest if all do.
  RunSample SizeForTwoLanes() const {
    RunSample chosen = report_.samples.front();
    for (const RunSample& sample : report_.samples) {
      if (sample.ns < options_.budget_ns / 4 / (3 * kPairs)) chosen = sample;
    }
    return chosen;
  }

  // Nanoseconds until `repeats` runs have ended on this thread and, `with_other`, as many on another one; 0 when a run failed.
  int64_t TimeLanes(const std::vector<session::Tensor>& inputs, int64_t repeats, bool with_other) const {
    std::atomic<bool> failed{false};
    const auto run_all = [&](size_t lane) {
      for (int64_t i = 0; i < repeats && !failed; ++i) {
        std::vector<session::Tensor> outputs;
        if (!Run(inputs, &outputs, lane).ok()) failed = true;
      }
    };
    std::atomic<bool> ready{!with_other};
    std::atomic<bool> go{false};
    std::thread other;
    if (with_other) {
      other = std::thread([&] {
        ready = true;
        while (!go) std::this_thread::yield();
        run_all(1);
      });
    }
    while (!ready) std::this_thread::yield();
    const int64_t begin_ns = MonotonicNs();
    go = true;
    run_all(0);
    if (other.joinable()) other.join();
    return failed ? 0 : std::max<int64_t>(MonotonicNs() - begin_ns, 1);
  }

  void TimeTwoLanes() {
    const RunSample size = SizeForTwoLanes();
    const Result<std::vector<session::Tensor>> inputs = Inputs(size.rows);
    if (!inputs.ok()) return;
    const int64_t repeats = std::clamp<int64_t>(kPairNs / std::max<int64_t>(size.ns, 1), 1, 1000);
    std::vector<int64_t> one;
    std::vector<int64_t> two;
    try {
      for (int i = 0; i < kPairs; ++i) {
        one.push_back(TimeLanes(inputs.value(), repeats, false));
        two.push_back(TimeLanes(inputs.value(), repeats, true));
      }
    } catch (const std::system_error&) {
      report_.notes.push_back("two lanes could not be compared with one: the machine has no thread left");
      return;
    }
    if (std::count(one.begin(), one.end(), 0) + std::count(two.begin(), two.end(), 0) != 0) {
      report_.notes.push_back("two lanes could not be compared with one: a run failed");
      return;
    }
    report_.joint_speed = JointSpeed(one, two);
    const double slowdown = 2 / report_.joint_speed;
    const size_t alone = report_.samples.size();
    for (size_t i = 0; i < alone; ++i) {
      const RunSample sample = report_.samples[i];
      report_.samples.push_back({2, sample.rows, static_cast<int64_t>(static_cast<double>(sample.ns) * slowdown)});
    }
    report_.notes.push_back("two lanes with batches of " + Rows(size.rows) + " ran " +
                            std::to_string(report_.joint_speed).substr(0, 4) + " times as fast as one");
  }

  const session::Session& session_;
  const WarmUpOptions options_;
  const int64_t end_ns_;
  std::vector<size_t> all_outputs_;
  // One a GPU, in their order, and one for each lane that is tried: what a lane keeps on a device is made once.
  std::vector<std::unique_ptr<session::RunControl>> controls_;
  std::vector<std::unique_ptr<Heartbeat>> heartbeats_;  // one a control; null: nobody watches
  int64_t open_dim_ = 1;
  WarmUpReport report_;
};

}  // namespace

double JointSpeed(const std::vector<int64_t>& one_ns, const std::vector<int64_t>& two_ns) {
  return 2 * static_cast<double>(*std::min_element(one_ns.begin(), one_ns.end())) /
         static_cast<double>(*std::min_element(two_ns.begin(), two_ns.end()));
}

WarmUpReport WarmUp(const session::Session& session, const WarmUpOptions& options) { return WarmUpRuns(session, options).Report(); }

}  // namespace penstock::pipeline
