#include "bridge/js_sink.h"

#include <algorithm>
#include <utility>

#include "bridge/js_values.h"
#include "bridge/process_state.h"
#include "codec/grpc_message.h"
#include "codec/http_reply.h"

namespace penstock::bridge {
namespace {

// Binary outputs up to this size are copied into JavaScript memory: one copy of a page instead of
// wrapping, finalising and giving back a range.
constexpr size_t kCopyUpToBytes = 4096;
// An output beyond it comes as several ranges: a Buffer of Node 20 ends at 4 GiB.
constexpr size_t kMaxRangeBytes = size_t{1} << 30;

// Answers up to this size are not counted: what they can hold in all is bounded by the number of connections.
constexpr uint64_t kUnchargedBytes = 64 * 1024;

memory::Owner Charge(uint64_t bytes) {
  serving::Engine* engine = ProcessState::Get().engine();
  return bytes > kUnchargedBytes && engine != nullptr ? engine->ChargeAnswer(bytes) : nullptr;
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

}  // namespace

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
  memory::Owner charge = Charge(OutputBytes(outcome));
  std::lock_guard<std::mutex> lock(mutex_);
  if (closed_) return;
  done_.push_back(Done{token, std::move(outcome), std::move(charge)});
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
    completions.Set(i, MakeCompletion(env, done[i]));
  }
  done.clear();
  if (pending_.empty()) KeepAlive(false);
  callback.Call({completions});
  if (env.IsExceptionPending()) napi_fatal_exception(env, env.GetAndClearPendingException().Value());
}

Napi::Object JsSink::MakeCompletion(Napi::Env env, Done& done) {
  Napi::Object completion = Napi::Object::New(env);
  completion.Set("token", Napi::Number::New(env, static_cast<double>(done.token)));
  Status status = done.outcome.status;
  std::string request_id;
  const auto found = pending_.find(done.token);
  if (found != pending_.end()) {
    request_id = found->second.accepted.plan.id;
    if (status.ok()) status = FillReply(env, found->second, done, completion);
    if (env.IsExceptionPending()) env.GetAndClearPendingException();
    pending_.erase(found);
  } else if (status.ok()) {
    status = Status(StatusCode::kInternal, "an outcome arrived for a request that nobody submitted");
  }
  if (!status.ok()) {
    completion.Set("head", env.Null());
    completion.Set("binary", false);
    completion.Set("tails", Napi::Array::New(env));
    completion.Set("ranges", Napi::Array::New(env));
  }
  completion.Set("status", Napi::Number::New(env, static_cast<int32_t>(status.code())));
  completion.Set("message", status.message());
  completion.Set("requestId", request_id);
  return completion;
}

Status JsSink::FillReply(Napi::Env env, const Pending& pending, Done& done, Napi::Object& completion) {
  const Status no_memory(StatusCode::kMemory, "not enough memory for the reply");
  Napi::Array tails = Napi::Array::New(env);
  std::vector<uint64_t> names;
  Napi::Value head;
  bool binary = false;
  if (pending.protocol == pipeline::Protocol::kGrpc) {
    Result<codec::ModelInferReply> reply = codec::ModelInferReply::Make(pending.accepted.plan, done.outcome);
    if (!reply.ok()) return reply.status();
    void* data = nullptr;
    napi_value buffer = nullptr;
    if (napi_create_buffer(env, reply.value().size(), &data, &buffer) != napi_ok) return no_memory;
    reply.value().WriteTo(static_cast<uint8_t*>(data));
    head = Napi::Value(env, buffer);
  } else {
    Result<codec::HttpReply> reply = codec::EncodeHttpReply(pending.accepted.plan, done.outcome);
    if (!reply.ok()) return reply.status();
    head = BufferCopy(env, reply.value().json.data(), reply.value().json.size());
    binary = reply.value().is_binary;
    uint64_t bytes = reply.value().json.size();
    for (const memory::Slice& tail : reply.value().tails) bytes += tail.size;
    bool complete = !head.IsEmpty() && HoldCharge(env, head, bytes, names);
    for (const memory::Slice& tail : reply.value().tails) {
      for (size_t at = 0; complete && at < tail.size; at += kMaxRangeBytes) {
        complete = WrapRange(env, tail.Sub(at, std::min(kMaxRangeBytes, tail.size - at)), tails, names);
      }
    }
    if (!complete) {
      for (const uint64_t name : names) Release(name);
      return no_memory;
    }
  }
  Napi::Array ranges = Napi::Array::New(env, names.size());
  for (uint32_t i = 0; i < names.size(); ++i) ranges.Set(i, JsNumber(env, names[i]));
  completion.Set("head", head);
  completion.Set("binary", binary);
  completion.Set("tails", tails);
  completion.Set("ranges", ranges);
  return Status::Ok();
}

bool JsSink::WrapRange(Napi::Env env, memory::Slice slice, Napi::Array& tails, std::vector<uint64_t>& names) {
  if (slice.size <= kCopyUpToBytes) {
    const Napi::Value copy = BufferCopy(env, slice.data, slice.size);
    if (copy.IsEmpty()) return false;
    tails.Set(tails.Length(), copy);
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
  tails.Set(tails.Length(), Napi::Value(env, buffer));
  names.push_back(name);
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
