#include "bridge/js_sink.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "bridge/environment.h"
#include "bridge/js_values.h"
#include "bridge/process_state.h"
#include "codec/grpc_message.h"
#include "codec/http_reply.h"

namespace penstock::bridge {
namespace {

// Binary outputs up to this size are copied into JavaScript memory: one copy of a page instead of
// wrapping, finalising and giving back a range.
constexpr size_t kCopyUpToBytes = 4096;
// Whole answers up to this size become a text: a Buffer's own memory costs the collector more than the copies.
constexpr size_t kTextUpToBytes = 4096;
// An output beyond it comes as several ranges: a Buffer of Node 20 ends at 4 GiB.
constexpr size_t kMaxRangeBytes = size_t{1} << 30;

// Into the message here, and from there into the frame that grpc-js makes of it.
constexpr uint64_t kCopiesInGrpcReply = 2;
// Behind the rest of the answer, into the text, and out of it into what is written to the socket or handed to grpc-js.
constexpr uint64_t kCopiesInHttpText = 3;
constexpr uint64_t kCopiesInGrpcText = 4;

memory::Owner Charge(uint64_t bytes) {
  serving::Engine* engine = ProcessState::Get().engine();
  return engine != nullptr ? engine->ChargeWholeAnswer(bytes) : nullptr;
}

uint64_t OutputBytes(const pipeline::Outcome& outcome) {
  uint64_t bytes = 0;
  for (const session::Tensor& output : outcome.outputs) bytes += output.bytes.size;
  return bytes;
}

Napi::Value BufferCopy(Napi::Env env, const void* data, size_t size) {
  napi_value buffer = nullptr;
  if (napi_create_buffer_copy(env, size, data, nullptr, &buffer) != napi_ok) return Napi::Value();
  return Napi::Value(env, buffer);
}

Status NoMemoryForReply() { return Status(StatusCode::kMemory, "not enough memory for the reply"); }

// One character for each byte. Empty when there is no memory.
Napi::Value TextOf(Napi::Env env, const std::string& bytes) {
  napi_value text = nullptr;
  if (napi_create_string_latin1(env, bytes.data(), bytes.size(), &text) != napi_ok) return Napi::Value();
  return Napi::Value(env, text);
}

}  // namespace

Napi::Function JsSink::CompletionMaker(Napi::Env env) {
  constexpr char kSource[] =
      "(token, status, message, requestId, head, jsonBytes, tails, ranges) =>"
      " ({ token, status, message, requestId, head, jsonBytes, tails, ranges })";
  return env.RunScript(kSource).As<Napi::Function>();
}

std::shared_ptr<JsSink> JsSink::Open(Napi::Env env, Napi::Function on_completions) {
  std::shared_ptr<JsSink> sink(new JsSink(env));
  const napi_status created = napi_create_threadsafe_function(
      env, on_completions, nullptr, Napi::String::New(env, "penstock.completions"), 0, 1,
      nullptr, [](napi_env, void*, void* context) { delete static_cast<std::weak_ptr<JsSink>*>(context); },
      new std::weak_ptr<JsSink>(sink),
      [](napi_env env, napi_value callback, void* context, void*) {
        if (env == nullptr) return;  // the environment has ended and the context is gone
        const auto sink = static_cast<std::weak_ptr<JsSink>*>(context)->lock();
        if (sink != nullptr) sink->Drain(Napi::Env(env), Napi::Function(env, callback));
      },
      &sink->tsfn_);
  if (created != napi_ok) return nullptr;
  napi_unref_threadsafe_function(env, sink->tsfn_);
  // Hooks run in reverse order of registration: ours must run before the one that the thread-safe function has just registered.
  napi_add_env_cleanup_hook(env, &JsSink::OnCleanup, sink.get());
  return sink;
}

JsSink::~JsSink() = default;

void JsSink::OnCleanup(void* self) { static_cast<JsSink*>(self)->Close(); }

void JsSink::Complete(uint64_t token, pipeline::Outcome outcome) {
  std::lock_guard<std::mutex> lock(mutex_);
  if (closed_) return;
  done_.push_back(Done{token, std::move(outcome)});
  if (signalled_) return;
  signalled_ = true;
  // Under the lock, so that Close() cannot abort the function between the check and the call.
  napi_call_threadsafe_function(tsfn_, nullptr, napi_tsfn_nonblocking);
}

memory::Slice JsSink::Borrow(Napi::Value buffer) {
  DeleteReturned();
  memory::Slice slice;
  void* data = nullptr;
  size_t size = 0;
  if (napi_get_buffer_info(env_, buffer, &data, &size) != napi_ok || size == 0) return slice;
  napi_ref reference = nullptr;
  if (napi_create_reference(env_, buffer, 1, &reference) != napi_ok) return slice;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    ++borrowed_;
  }
  slice.data = static_cast<const uint8_t*>(data);
  slice.size = size;
  slice.owner = memory::Owner(data, [sink = shared_from_this(), reference](const void*) { sink->GiveBack(reference); });
  return slice;
}

void JsSink::GiveBack(napi_ref reference) {
  std::lock_guard<std::mutex> lock(mutex_);
  returned_buffers_.push_back(reference);
  if (--borrowed_ == 0) returned_.notify_all();
}

void JsSink::DeleteReturned() {
  std::vector<napi_ref> references;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    references.swap(returned_buffers_);
  }
  for (napi_ref reference : references) napi_delete_reference(env_, reference);
}

Status JsSink::Submit(pipeline::Protocol protocol, serving::InferRequest request, uint64_t token, int64_t deadline_ns, std::string* request_id) {
  *request_id = request.id;
  request.protocol = protocol;
  if (closed()) return Status(StatusCode::kClosed, "the sink is closed");
  if (pending_.count(token) != 0) return Status(StatusCode::kInternal, "token " + std::to_string(token) + " is in use");
  serving::Engine* engine = ProcessState::Get().engine();
  if (engine == nullptr) return Status(StatusCode::kServerExiting, "the engine is not running");
  // The outcome may arrive before this returns; it is drained on this thread, hence after the entry below is made.
  Result<serving::Accepted> accepted = engine->Submit(std::move(request), token, shared_from_this(), deadline_ns);
  if (!accepted.ok()) return accepted.status();
  pending_.emplace(token, Pending{protocol, std::move(accepted).value()});
  KeepAlive(true);
  return Status::Ok();
}

void JsSink::Cancel(uint64_t token) {
  const auto found = pending_.find(token);
  serving::Engine* engine = ProcessState::Get().engine();
  if (found != pending_.end() && engine != nullptr) engine->Cancel(found->second.accepted.job);
}

void JsSink::Close() {
  if (closed()) return;
  napi_remove_env_cleanup_hook(env_, &JsSink::OnCleanup, this);
  std::vector<Done> dropped;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    closed_ = true;
    dropped.swap(done_);
    napi_release_threadsafe_function(tsfn_, napi_tsfn_abort);
    tsfn_ = nullptr;
  }
  if (serving::Engine* engine = ProcessState::Get().engine()) {
    for (auto& [token, pending] : pending_) engine->Cancel(pending.accepted.job);
  }
  pending_.clear();
  // What is left is a lane in the middle of a gather: as long as one copy takes.
  std::vector<napi_ref> references;
  {
    std::unique_lock<std::mutex> lock(mutex_);
    returned_.wait(lock, [this] { return borrowed_ == 0; });
    references.swap(returned_buffers_);
  }
  for (napi_ref reference : references) napi_delete_reference(env_, reference);
}

void JsSink::KeepAlive(bool alive) {
  if (alive == alive_ || closed()) return;
  alive_ = alive;
  if (alive) {
    napi_ref_threadsafe_function(env_, tsfn_);
  } else {
    napi_unref_threadsafe_function(env_, tsfn_);
  }
}

void JsSink::Drain(Napi::Env env, Napi::Function callback) {
  const std::shared_ptr<JsSink> self = shared_from_this();
  DeleteReturned();
  std::vector<Done> done;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    done.swap(done_);
    signalled_ = false;
  }
  if (done.empty() || closed()) return;
  Napi::HandleScope scope(env);
  Napi::Array completions = Napi::Array::New(env, done.size());
  for (uint32_t i = 0; i < done.size(); ++i) {
    Napi::HandleScope item(env);
    const Napi::Value completion = MakeCompletion(env, done[i]);
    if (completion.IsEmpty()) return;  // the environment is ending
    completions.Set(i, completion);
  }
  done.clear();
  if (pending_.empty()) KeepAlive(false);
  callback.Call({completions});
  if (env.IsExceptionPending()) napi_fatal_exception(env, env.GetAndClearPendingException().Value());
}

Napi::Value JsSink::MakeCompletion(Napi::Env env, Done& done) {
  Reply reply;
  Status status = done.outcome.status;
  std::string request_id;
  const auto found = pending_.find(done.token);
  if (found != pending_.end()) {
    if (status.ok()) status = FillReply(env, found->second, done, &reply);
    request_id = std::move(found->second.accepted.plan.id);
    if (env.IsExceptionPending()) env.GetAndClearPendingException();
    pending_.erase(found);
  } else if (status.ok()) {
    status = Status(StatusCode::kInternal, "an outcome arrived for a request that nobody submitted");
  }
  if (!status.ok()) reply = Reply();
  Napi::Array tails = Napi::Array::New(env, reply.tails.size());
  for (uint32_t i = 0; i < reply.tails.size(); ++i) tails.Set(i, reply.tails[i]);
  Napi::Array ranges = Napi::Array::New(env, reply.ranges.size());
  for (uint32_t i = 0; i < reply.ranges.size(); ++i) ranges.Set(i, JsNumber(env, reply.ranges[i]));
  const napi_value parts[] = {  // in the order of CompletionMaker's parameters
      JsNumber(env, done.token),
      Napi::Number::New(env, static_cast<int32_t>(status.code())),
      Napi::String::New(env, status.message()),
      Napi::String::New(env, request_id),
      reply.head.IsEmpty() ? env.Null() : reply.head,
      Napi::Number::New(env, static_cast<double>(reply.json_bytes)),
      tails,
      ranges,
  };
  const Napi::Function maker = env.GetInstanceData<Environment>()->completion_maker.Value();
  napi_value completion = nullptr;
  if (napi_call_function(env, env.Undefined(), maker, std::size(parts), parts, &completion) != napi_ok) return Napi::Value();
  return Napi::Value(env, completion);
}

Status JsSink::FillReply(Napi::Env env, const Pending& pending, Done& done, Reply* reply) {
  const uint64_t handed_out = OutputBytes(done.outcome);
  uint64_t copied = 0;
  PENSTOCK_RETURN_IF_ERROR(pending.protocol == pipeline::Protocol::kGrpc ? FillGrpcReply(env, pending, done, reply, &copied)
                                                                         : FillHttpReply(env, pending, done, reply, &copied));
  // Outputs that were written as JSON count as handed out: text is no copy.
  if (const auto room = pending.accepted.pipeline.lock()) room->counters().RecordOutput(handed_out, copied);
  return Status::Ok();
}

Status JsSink::FillGrpcReply(Napi::Env env, const Pending& pending, const Done& done, Reply* reply, uint64_t* copied) {
  Result<codec::ModelInferReply> made = codec::ModelInferReply::Make(pending.accepted.plan, done.outcome);
  if (!made.ok()) return made.status();
  const size_t size = made.value().size();
  if (size <= kTextUpToBytes) {
    std::string message(size, '\0');
    made.value().WriteTo(reinterpret_cast<uint8_t*>(message.data()));
    reply->head = TextOf(env, message);
    if (reply->head.IsEmpty()) return NoMemoryForReply();
    *copied = OutputBytes(done.outcome) * kCopiesInGrpcText;
    return Status::Ok();
  }
  void* data = nullptr;
  napi_value buffer = nullptr;
  if (napi_create_buffer(env, size, &data, &buffer) != napi_ok) return NoMemoryForReply();
  made.value().WriteTo(static_cast<uint8_t*>(data));
  reply->head = Napi::Value(env, buffer);
  *copied = OutputBytes(done.outcome) * kCopiesInGrpcReply;
  return Status::Ok();
}

Status JsSink::FillHttpReply(Napi::Env env, const Pending& pending, const Done& done, Reply* reply, uint64_t* copied) {
  Result<codec::HttpReply> made = codec::EncodeHttpReply(pending.accepted.plan, done.outcome);
  if (!made.ok()) return made.status();
  std::string& json = made.value().json;
  const std::vector<memory::Slice>& tails = made.value().tails;
  if (made.value().is_binary) reply->json_bytes = static_cast<int64_t>(json.size());
  uint64_t tail_bytes = 0;
  for (const memory::Slice& tail : tails) tail_bytes += tail.size;
  const uint64_t bytes = json.size() + tail_bytes;
  if (bytes <= kTextUpToBytes) {
    for (const memory::Slice& tail : tails) json.append(reinterpret_cast<const char*>(tail.data), tail.size);
    reply->head = TextOf(env, json);
    if (reply->head.IsEmpty()) return NoMemoryForReply();
    *copied = tail_bytes * kCopiesInHttpText;
    return Status::Ok();
  }
  // Ranges are counted already, by what keeps them (pipeline::BatchRunOptions::charge).
  uint64_t own_bytes = json.size();
  for (const memory::Slice& tail : tails) own_bytes += tail.size <= kCopyUpToBytes ? tail.size : 0;
  reply->head = BufferCopy(env, json.data(), json.size());
  bool complete = !reply->head.IsEmpty() && HoldCharge(env, reply->head, own_bytes, reply->ranges);
  for (const memory::Slice& tail : tails) {
    for (size_t at = 0; complete && at < tail.size; at += kMaxRangeBytes) {
      complete = WrapRange(env, tail.Sub(at, std::min(kMaxRangeBytes, tail.size - at)), reply, copied);
    }
  }
  if (complete) return Status::Ok();
  for (const uint64_t name : reply->ranges) Release(name);
  return NoMemoryForReply();
}

bool JsSink::WrapRange(Napi::Env env, memory::Slice slice, Reply* reply, uint64_t* copied) {
  if (slice.size <= kCopyUpToBytes) {
    const Napi::Value copy = BufferCopy(env, slice.data, slice.size);
    if (copy.IsEmpty()) return false;
    reply->tails.push_back(copy);
    *copied += slice.size;
    return true;
  }
  Range* range = NewRange(std::move(slice));
  const uint64_t name = range->name;
  napi_value buffer = nullptr;
  // JavaScript only reads replies; the API has no pointer to const.
  const napi_status made = napi_create_external_buffer(
      env, range->slice.size, const_cast<uint8_t*>(range->slice.data), FinishRange, range, &buffer);
  // This failure means that the memory was refused after it had been taken over: the finaliser has run.
  if (made == napi_generic_failure) return false;
  if (made != napi_ok) {
    FinishRange(env, nullptr, range);
    return false;
  }
  napi_create_reference(env, buffer, 0, &range->buffer);
  reply->tails.push_back(Napi::Value(env, buffer));
  reply->ranges.push_back(name);
  return true;
}

bool JsSink::HoldCharge(Napi::Env env, Napi::Value head, uint64_t bytes, std::vector<uint64_t>& names) {
  memory::Owner charge = Charge(bytes);
  if (charge == nullptr) return true;
  Range* range = NewRange(memory::Slice{nullptr, 0, memory::MemoryKind::kPageable, std::move(charge)});
  const uint64_t name = range->name;
  if (napi_add_finalizer(env, head, nullptr, FinishRange, range, nullptr) != napi_ok) {
    FinishRange(env, nullptr, range);
    return false;
  }
  names.push_back(name);
  return true;
}

JsSink::Range* JsSink::NewRange(memory::Slice slice) {
  auto* range = new Range{weak_from_this(), next_range_++, std::move(slice), nullptr};
  ranges_.emplace(range->name, range);
  if (range->slice.size > 0) ProcessState::Get().ranges().Add(range->slice.size);  // a charge is no range
  return range;
}

void JsSink::FinishRange(napi_env env, void*, void* hint) {
  auto* range = static_cast<Range*>(hint);
  if (range->buffer != nullptr) napi_delete_reference(env, range->buffer);
  if (const auto sink = range->sink.lock()) sink->ranges_.erase(range->name);
  DropRange(range);
  delete range;
}

void JsSink::DropRange(Range* range) {
  if (range->slice.owner == nullptr) return;
  if (range->slice.size > 0) ProcessState::Get().ranges().Remove(range->slice.size);
  range->slice = memory::Slice();
}

void JsSink::Release(uint64_t name) {
  const auto found = ranges_.find(name);
  if (found == ranges_.end()) return;
  Range* range = found->second;
  Napi::HandleScope scope(env_);
  napi_value buffer = nullptr;
  if (range->buffer != nullptr && napi_get_reference_value(env_, range->buffer, &buffer) == napi_ok && buffer != nullptr) {
    // Detached first: from here on JavaScript sees an empty buffer, never freed memory.
    napi_value array_buffer = nullptr;
    napi_get_typedarray_info(env_, buffer, nullptr, nullptr, nullptr, &array_buffer, nullptr);
    // One that cannot be detached keeps its memory until its finaliser.
    if (napi_detach_arraybuffer(env_, array_buffer) != napi_ok) return;
  }
  ranges_.erase(found);
  DropRange(range);
}

}  // namespace penstock::bridge
