#include "serving/engine.h"

#include <new>
#include <utility>

#include "serving/tensor_checks.h"

namespace penstock::serving {
namespace {

Status Exiting() { return Status(StatusCode::kServerExiting, "Server exiting"); }

}  // namespace

Result<std::shared_ptr<ModelVersion>> Engine::LookUp(const std::string& model, const std::string& version) const {
  if (stopped_) return Exiting();
  const std::shared_ptr<const Catalog> catalog = catalog_.Current();
  const Result<const CatalogVersion*> found = catalog->Find(model, version);
  if (!found.ok()) return stopped_ ? Exiting() : found.status();
  return found.value()->version;
}

Status Engine::CheckServed(const std::string& model, const std::string& version) const { return LookUp(model, version).status(); }

Result<Accepted> Engine::Submit(InferRequest request, uint64_t token, std::shared_ptr<pipeline::CompletionSink> sink,
                                int64_t deadline_ns) {
  try {
    return SubmitChecked(std::move(request), token, std::move(sink), deadline_ns);
  } catch (const std::bad_alloc&) {
    return NoMemoryForRequest();
  }
}

Result<Accepted> Engine::SubmitChecked(InferRequest request, uint64_t token, std::shared_ptr<pipeline::CompletionSink> sink,
                                       int64_t deadline_ns) {
  using pipeline::FailureReason;
  Result<std::shared_ptr<ModelVersion>> found = LookUp(request.model_name, request.model_version);
  if (!found.ok()) return found.status();
  const std::shared_ptr<ModelVersion> version = std::move(found).value();
  pipeline::Pipeline& room = version->pipeline();

  Result<CheckedRequest> checked = CheckRequest(*version, std::move(request));
  if (!checked.ok()) {
    room.counters().RecordFailure(FailureReason::kOther, 0);
    return checked.status();
  }
  std::shared_ptr<pipeline::Job> job = std::move(checked.value().job);
  Result<std::shared_ptr<const void>> ticket = admission_.Admit(job->bytes);
  if (!ticket.ok()) {
    room.counters().RecordFailure(FailureReason::kRejected, 0);
    return ticket.status();
  }
  job->token = token;
  job->sink = std::move(sink);
  job->admission = std::move(ticket).value();
  job->deadline_ns = deadline_ns;
  job->pipeline = std::shared_ptr<pipeline::Pipeline>(version, &room);
  Accepted accepted{std::move(checked.value().plan), job, job->pipeline};
  PENSTOCK_RETURN_IF_ERROR(room.Submit(&job));
  return accepted;
}

void Engine::Cancel(const std::weak_ptr<pipeline::Job>& job) {
  if (const std::shared_ptr<pipeline::Job> alive = job.lock()) alive->pipeline->Cancel(alive);
}

void Engine::Stop() {
  stopped_ = true;
  canaries_.Stop();
  std::vector<std::shared_ptr<ModelVersion>> living = catalog_.Living();
  catalog_.Publish(std::make_shared<const Catalog>());
  for (const std::shared_ptr<ModelVersion>& version : living) version->pipeline().Close(Exiting());
  living.clear();
  reaper_.Flush();
}

}  // namespace penstock::serving
