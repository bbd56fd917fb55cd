#include "frontend/error_reply.h"

#include <algorithm>
#include <cmath>

namespace penstock::frontend {
namespace {

// As src/errors.ts has them.
enum class ErrorClass { kInvalid, kNotFound, kUnavailable, kUnsupported, kCancelled, kInternal, kMethodNotAllowed };

// No default: the compiler names a code that has no class.
ErrorClass ClassOf(StatusCode code) {
  switch (code) {
    case StatusCode::kRequestJson:
    case StatusCode::kRequestField:
    case StatusCode::kRequestProtobuf:
    case StatusCode::kRequestTooLarge:
    case StatusCode::kRequestHeader:
    case StatusCode::kRequestDepth:
    case StatusCode::kRequestCompressed:
    case StatusCode::kRequestParameter:
    case StatusCode::kTensorDtype:
    case StatusCode::kTensorShape:
    case StatusCode::kTensorSize:
    case StatusCode::kTensorData:
    case StatusCode::kTensorName:
    case StatusCode::kTensorBatch:
    case StatusCode::kTensorNotJson:
    case StatusCode::kModelConfig:
    case StatusCode::kConfigOption:
    case StatusCode::kPullRefused:
      return ErrorClass::kInvalid;
    case StatusCode::kModelUnknown:
    case StatusCode::kRouteUnknown:
      return ErrorClass::kNotFound;
    case StatusCode::kModelNotReady:
    case StatusCode::kModelHeldBack:
    case StatusCode::kQueueFull:
    case StatusCode::kRequestTimeout:
    case StatusCode::kInFlightFull:
    case StatusCode::kDeadlineUnreachable:
    case StatusCode::kServerExiting:
    case StatusCode::kMemory:
    case StatusCode::kPortBusy:
    case StatusCode::kGpuMemory:
    case StatusCode::kGpuFault:
    case StatusCode::kGpuLost:
    case StatusCode::kGpuUnavailable:
    case StatusCode::kPullSource:
    case StatusCode::kPullTarget:
      return ErrorClass::kUnavailable;
    case StatusCode::kRequestEncoding:
    case StatusCode::kNotSupported:
      return ErrorClass::kUnsupported;
    case StatusCode::kRequestCancelled:
      return ErrorClass::kCancelled;
    case StatusCode::kRouteMethod:
      return ErrorClass::kMethodNotAllowed;
    case StatusCode::kOk:
    case StatusCode::kModelLoad:
    case StatusCode::kModelRun:
    case StatusCode::kInternal:
    case StatusCode::kOrtLibrary:
    case StatusCode::kClosed:
    case StatusCode::kCudaProvider:
      return ErrorClass::kInternal;
  }
  return ErrorClass::kInternal;
}

struct Statuses {
  int http;
  int grpc;
};

Statuses StatusesOf(ErrorClass error_class) {
  switch (error_class) {
    case ErrorClass::kInvalid:
      return {400, 3};
    case ErrorClass::kNotFound:
      return {404, 5};
    case ErrorClass::kUnavailable:
      return {503, 14};
    case ErrorClass::kUnsupported:
      return {501, 12};
    case ErrorClass::kCancelled:
      return {400, 1};
    case ErrorClass::kMethodNotAllowed:
      return {405, 12};
    case ErrorClass::kInternal:
      break;
  }
  return {500, 13};
}

// Their texts speak of our insides, which a client must not see.
bool IsHidden(StatusCode code) {
  return code == StatusCode::kInternal || code == StatusCode::kClosed || code == StatusCode::kOrtLibrary;
}

// Overload passes within a second or so, where the engine does not know better; a version that is not ready may take minutes.
bool PassesSoon(StatusCode code) { return code == StatusCode::kQueueFull || code == StatusCode::kInFlightFull; }
constexpr int64_t kSoonMs = 1000;

// src/frontend/retry-delay.ts says why.
constexpr double kMinMs = 1000;
constexpr double kMaxMs = 30'000;
constexpr double kSpread = 0.5;
// Below it whole seconds would round the spread away.
constexpr int64_t kShortMs = 2000;

}  // namespace

ErrorReply ReplyFor(const Status& status) {
  const ErrorClass error_class = ClassOf(status.code());
  const Statuses statuses = StatusesOf(error_class);
  ErrorReply reply;
  reply.http_status = statuses.http;
  reply.grpc_status = statuses.grpc;
  reply.message = IsHidden(status.code()) ? "internal error" : status.message();
  reply.retry_after_ms = status.retry_after_ms();
  if (reply.retry_after_ms == 0 && PassesSoon(status.code())) reply.retry_after_ms = kSoonMs;
  reply.is_our_fault = error_class == ErrorClass::kInternal;
  return reply;
}

double RetryDelayMs(int64_t advice_ms, double unit) {
  return std::min(kMaxMs / (1 + kSpread), std::max(kMinMs, static_cast<double>(advice_ms))) * (1 + kSpread * unit);
}

int64_t RetryAfterSeconds(int64_t advice_ms, double unit, double blur) {
  const double blur_ms = advice_ms < kShortMs ? 1000 * blur : 0;
  return static_cast<int64_t>(std::min(kMaxMs / 1000, std::ceil((RetryDelayMs(advice_ms, unit) + blur_ms) / 1000)));
}

}  // namespace penstock::frontend
