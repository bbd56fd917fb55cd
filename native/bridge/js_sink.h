// The completion sink of one JavaScript environment: outcomes come in on any thread and leave in one call per drain on that
// environment's thread.
//
// JavaScript buffers that a request borrows are referenced here and given back on that thread only. Close() returns when no lane reads
// from one any more, so that an environment may die right after.
#pragma once

#include <napi.h>

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/status.h"
#include "memory/slice.h"
#include "pipeline/job.h"
#include "serving/engine.h"

namespace penstock::bridge {

class JsSink : public pipeline::CompletionSink, public std::enable_shared_from_this<JsSink> {
 public:
  // [JS thread] The JavaScript function that makes completions: one call costs less than setting eight properties from here.
  static Napi::Function CompletionMaker(Napi::Env env);

  // [JS thread]
  static std::shared_ptr<JsSink> Open(Napi::Env env, Napi::Function on_completions);
  ~JsSink() override;

  // [any thread]
  void Complete(uint64_t token, pipeline::Outcome outcome) override;

  // [JS thread] Takes a reference on `buffer` (any ArrayBuffer view) until the slice is dropped, on whichever thread that happens.
  memory::Slice Borrow(Napi::Value buffer);

  // [JS thread] Submits and remembers what the reply needs. `request_id` is filled in as far as known, also on failure.
  Status Submit(pipeline::Protocol protocol, serving::InferRequest request, uint64_t token, int64_t deadline_ns, std::string* request_id);

  // [JS thread] Deletes the references of borrowed buffers that have been given back.
  void DeleteReturned();

  // [JS thread]
  void Cancel(uint64_t token);
  void Release(uint64_t range);

  // [JS thread, or the environment's cleanup] Cancels what is pending, drops what is done, waits until no borrowed buffer is read.
  // May be repeated.
  void Close();
  bool closed() const { return tsfn_ == nullptr; }

 private:
  struct Pending {
    pipeline::Protocol protocol;
    serving::Accepted accepted;
  };
  struct Done {
    uint64_t token;
    pipeline::Outcome outcome;
  };
  // What JavaScript holds of an answer: an output range that it looks at, or the charge for a large document (no bytes, no buffer
  // to detach). Freed by Release or by the finaliser of its buffer, whichever is first.
  struct Range {
    std::weak_ptr<JsSink> sink;
    uint64_t name;
    memory::Slice slice;
    napi_ref buffer;  // weak; for detaching; null for a charge
  };

  // What a completion carries when the model ran.
  struct Reply {
    Napi::Value head;         // empty = no reply
    int64_t json_bytes = -1;  // of the document, when binary outputs follow it
    std::vector<Napi::Value> tails;
    std::vector<uint64_t> ranges;
  };

  explicit JsSink(Napi::Env env) : env_(env) {}
  void GiveBack(napi_ref reference);                 // [any thread]
  void Drain(Napi::Env env, Napi::Function callback);  // [JS thread]
  // Empty when the environment is ending.
  Napi::Value MakeCompletion(Napi::Env env, Done& done);
  Status FillReply(Napi::Env env, const Pending& pending, Done& done, Reply* reply);
  // `copied`: bytes of outputs that were, each as often as it was.
  Status FillGrpcReply(Napi::Env env, const Pending& pending, const Done& done, Reply* reply, uint64_t* copied);
  Status FillHttpReply(Napi::Env env, const Pending& pending, const Done& done, Reply* reply, uint64_t* copied);
  // Adds a buffer to the tails and its name to the ranges, or, where it is a copy, its size to `copied`. False when there is no memory or
  // the environment is ending.
  bool WrapRange(Napi::Env env, memory::Slice slice, Reply* reply, uint64_t* copied);
  // Keeps a charge of `bytes`, those that JavaScript owns, until the answer is released, or until `head` is collected. False when there is no memory.
  bool HoldCharge(Napi::Env env, Napi::Value head, uint64_t bytes, std::vector<uint64_t>& names);
  Range* NewRange(memory::Slice slice);
  static void FinishRange(napi_env env, void* data, void* hint);
  static void DropRange(Range* range);
  void KeepAlive(bool alive);
  static void OnCleanup(void* self);

  const Napi::Env env_;
  napi_threadsafe_function tsfn_ = nullptr;  // null once closed; written on the JS thread under mutex_
  bool alive_ = false;                       // whether tsfn_ holds the event loop

  // JS thread only.
  std::unordered_map<uint64_t, Pending> pending_;
  std::unordered_map<uint64_t, Range*> ranges_;
  uint64_t next_range_ = 1;

  std::mutex mutex_;  // guards all below
  std::condition_variable returned_;
  std::vector<Done> done_;
  std::vector<napi_ref> returned_buffers_;
  size_t borrowed_ = 0;
  bool signalled_ = false;
  bool closed_ = false;
};

}  // namespace penstock::bridge
