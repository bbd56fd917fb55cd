// The engine of the process as front ends see it: look up, check, admit, submit, cancel.
//
// Thread-safe. Created once a process and never destroyed (Stop() ends its work), because JavaScript environments come and go around it.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include "base/status.h"
#include "pipeline/job.h"
#include "serving/admission.h"
#include "serving/canaries.h"
#include "serving/catalog.h"
#include "serving/infer_request.h"
#include "serving/reaper.h"
#include "serving/reply_plan.h"

namespace penstock::serving {

// What a front end keeps of an accepted request.
struct Accepted {
  ReplyPlan plan;
  std::weak_ptr<pipeline::Job> job;            // for Cancel
  std::weak_ptr<pipeline::Pipeline> pipeline;  // counts what the answer hands out, while its version is served
};

class Engine {
 public:
  explicit Engine(AdmissionLimits limits) : admission_(limits) {}
  // For tests. Calls Stop(); versions that others still hold must be dropped, for it waits for them.
  ~Engine() { Stop(); }
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  // [any thread] Whether a request for this model would be looked at: what Submit says first, for callers that know the model's name
  // before they decode a message. Errors: kServerExiting, those of Catalog::Find.
  Status CheckServed(const std::string& model, const std::string& version) const;

  // [any thread] Look up, check, admit, enqueue. On OK the sink gets exactly one final outcome for `token`; otherwise it is never called.
  // `deadline_ns`: the client's own, monotonic, 0 = none. Neither it nor the `timeout` parameter ever ends a run.
  // Errors: kServerExiting, those of Catalog::Find, CheckRequest, Admission::Admit and Pipeline::Submit, kMemory.
  // The outcome may reach the sink before this returns.
  Result<Accepted> Submit(InferRequest request, uint64_t token, std::shared_ptr<pipeline::CompletionSink> sink, int64_t deadline_ns);

  // [any thread] A job that has ended, or that nobody holds any more, is left alone.
  void Cancel(const std::weak_ptr<pipeline::Job>& job);

  // [any thread] Counts bytes of an answer until the result is dropped.
  std::shared_ptr<const void> ChargeAnswer(uint64_t bytes) { return admission_.Charge(bytes); }

  // The same of all that one answer holds, and null where that is small: what small ones hold in all is bounded by the number of connections.
  static constexpr uint64_t kUnchargedBytes = 64 * 1024;
  std::shared_ptr<const void> ChargeWholeAnswer(uint64_t bytes) { return bytes > kUnchargedBytes ? ChargeAnswer(bytes) : nullptr; }

  CatalogCell& catalog() { return catalog_; }
  Reaper& reaper() { return reaper_; }
  Canaries& canaries() { return canaries_; }
  const Admission& admission() const { return admission_; }

  // [main thread] Stops the canaries, refuses new requests with kServerExiting, publishes an empty catalog, closes the pipeline of every
  // version that was ever published and still lives (retired ones with work left, too), waits for the reaper. Queued and running work ends
  // with kServerExiting: every accepted job still gets its outcome, and no lane runs afterwards. May be repeated.
  void Stop();

 private:
  Reaper reaper_;       // destroyed last
  CatalogCell catalog_;
  Admission admission_;
  Canaries canaries_;
  std::atomic<bool> stopped_{false};

  Result<std::shared_ptr<ModelVersion>> LookUp(const std::string& model, const std::string& version) const;
  Result<Accepted> SubmitChecked(InferRequest request, uint64_t token, std::shared_ptr<pipeline::CompletionSink> sink, int64_t deadline_ns);
};

}  // namespace penstock::serving
