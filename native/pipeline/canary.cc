#include "pipeline/canary.h"

#include <algorithm>
#include <cstring>
#include <numeric>
#include <utility>

#include "base/clock.h"
#include "pipeline/made_up_inputs.h"
#include "pipeline/watched_run.h"

namespace penstock::pipeline {
namespace {

// Answers that must be the same before one counts as known: sums that GPUs add up in any order often agree twice by chance.
constexpr int kFirstAnswers = 4;
// Controls go round the GPUs in turn, but others take some meanwhile.
constexpr size_t kTriesPerGpu = 16;

}  // namespace

Canary::Canary(std::shared_ptr<const session::Session> session, std::string model, std::vector<session::Tensor> inputs)
    : session_(std::move(session)), model_(std::move(model)), inputs_(std::move(inputs)), all_outputs_(session_->signature().outputs.size()) {
  std::iota(all_outputs_.begin(), all_outputs_.end(), size_t{0});
}

std::unique_ptr<Canary> Canary::Create(std::shared_ptr<const session::Session> session, const CanaryOptions& options, std::string* why) {
  MadeUpShape shape;
  shape.batched = options.batched;
  shape.open_dim = options.open_dim;
  Result<std::vector<session::Tensor>> inputs = MakeUpInputs(session->signature(), shape);
  if (!inputs.ok()) {
    *why = inputs.status().message();
    return nullptr;
  }
  std::unique_ptr<Canary> canary(new Canary(session, options.model, std::move(inputs).value()));
  const std::vector<std::string> gpus = session->gpus();
  std::vector<OnGpu>& places = canary->places_;
  for (size_t i = 0; i < gpus.size() * kTriesPerGpu && places.size() < gpus.size(); ++i) {
    OnGpu place;
    place.control = session->NewRunControl();
    place.gpu = GpuOf(*session, *place.control);
    if (std::any_of(places.begin(), places.end(), [&place](const OnGpu& other) { return other.gpu == place.gpu; })) continue;
    if (options.watchdog != nullptr) {
      const auto history = options.run_history != nullptr ? options.run_history : std::make_shared<RunHistory>();
      place.heartbeat = options.watchdog->Watch(options.model, place.gpu, history);
    }
    const Status status = canary->Learn(&place);
    if (!status.ok()) {
      *why = status.message();
      return nullptr;
    }
    places.push_back(std::move(place));
  }
  return canary;
}

Status Canary::Ask(OnGpu* place, int64_t begin_ns, std::vector<session::Tensor>* outputs) const {
  return RunWatched(*session_, inputs_, all_outputs_, *place->control, place->heartbeat.get(), begin_ns, outputs).status;
}

Status Canary::Learn(OnGpu* place) const {
  for (int i = 0; i < kFirstAnswers; ++i) {
    std::vector<session::Tensor> outputs;
    // The first run of this input on a GPU may have to compile kernels.
    PENSTOCK_RETURN_IF_ERROR(Ask(place, kUntimed, &outputs));
    if (i == 0) {
      for (const session::Tensor& output : outputs) {
        Answer answer{output.dtype, output.dims, {}};
        if (output.bytes.size != 0) answer.bytes.assign(output.bytes.data, output.bytes.data + output.bytes.size);
        place->answers.push_back(std::move(answer));
      }
      continue;
    }
    const std::string difference = Compare(*place, outputs);
    if (!difference.empty()) return Status(StatusCode::kModelRun, "the same input does not always give the same answer: " + difference);
  }
  return Status::Ok();
}

std::string Canary::Compare(const OnGpu& place, const std::vector<session::Tensor>& outputs) const {
  for (size_t i = 0; i < place.answers.size(); ++i) {
    const std::string name = "output \"" + session_->signature().outputs[i].name + "\"";
    const Answer& known = place.answers[i];
    const session::Tensor& found = outputs[i];
    const bool alike = found.dtype == known.dtype && found.dims == known.dims && found.bytes.size == known.bytes.size();
    if (!alike) return name + " has another shape";
    size_t different = 0;
    for (size_t at = 0; at < known.bytes.size(); ++at) different += found.bytes.data[at] != known.bytes[at] ? 1 : 0;
    if (different != 0) {
      return name + " differs in " + std::to_string(different) + " of " + std::to_string(known.bytes.size()) + " bytes";
    }
  }
  return {};
}

std::vector<CanaryCheck> Canary::Check() {
  std::vector<CanaryCheck> checks;
  for (OnGpu& place : places_) {
    CanaryCheck check;
    check.gpu = place.gpu;
    std::vector<session::Tensor> outputs;
    check.status = Ask(&place, MonotonicNs(), &outputs);
    if (check.status.ok()) {
      check.mismatch = Compare(place, outputs);
      if (!check.mismatch.empty()) check.mismatch = model_ + ": " + check.mismatch;
    } else {
      check.status = Status(check.status.code(), model_ + ": " + check.status.message());
    }
    checks.push_back(std::move(check));
  }
  return checks;
}

void Canary::Stop() {
  for (const OnGpu& place : places_) place.control->Terminate();
}

}  // namespace penstock::pipeline
