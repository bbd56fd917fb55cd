// Outcome of an operation below the bridge: a code of the one error table and a message for people.
//
// Numbers equal those of src/errors.ts (a test compares the two tables). They are never renumbered and never reused.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

namespace penstock {

// Number, C++ name, stable code text.
#define PENSTOCK_STATUS_TABLE(X)                            \
  X(0, kOk, "OK")                                           \
  X(100, kRequestJson, "ERR_REQUEST_JSON")                  \
  X(101, kRequestField, "ERR_REQUEST_FIELD")                \
  X(102, kRequestProtobuf, "ERR_REQUEST_PROTOBUF")          \
  X(103, kRequestTooLarge, "ERR_REQUEST_TOO_LARGE")         \
  X(104, kRequestHeader, "ERR_REQUEST_HEADER")              \
  X(105, kRequestEncoding, "ERR_REQUEST_ENCODING")          \
  X(106, kRequestDepth, "ERR_REQUEST_DEPTH")                \
  X(107, kRequestCompressed, "ERR_REQUEST_COMPRESSED")      \
  X(108, kRequestParameter, "ERR_REQUEST_PARAMETER")        \
  X(200, kTensorDtype, "ERR_TENSOR_DTYPE")                  \
  X(201, kTensorShape, "ERR_TENSOR_SHAPE")                  \
  X(202, kTensorSize, "ERR_TENSOR_SIZE")                    \
  X(203, kTensorData, "ERR_TENSOR_DATA")                    \
  X(204, kTensorName, "ERR_TENSOR_NAME")                    \
  X(205, kTensorBatch, "ERR_TENSOR_BATCH")                  \
  X(206, kTensorNotJson, "ERR_TENSOR_NOT_JSON")             \
  X(300, kModelUnknown, "ERR_MODEL_UNKNOWN")                \
  X(301, kModelNotReady, "ERR_MODEL_NOT_READY")             \
  X(302, kModelLoad, "ERR_MODEL_LOAD")                      \
  X(303, kModelConfig, "ERR_MODEL_CONFIG")                  \
  X(304, kModelRun, "ERR_MODEL_RUN")                        \
  X(305, kModelHeldBack, "ERR_MODEL_HELD_BACK")             \
  X(400, kQueueFull, "ERR_QUEUE_FULL")                      \
  X(401, kRequestTimeout, "ERR_REQUEST_TIMEOUT")            \
  X(402, kRequestCancelled, "ERR_REQUEST_CANCELLED")        \
  X(403, kInFlightFull, "ERR_IN_FLIGHT_FULL")               \
  X(404, kDeadlineUnreachable, "ERR_DEADLINE_UNREACHABLE")  \
  X(500, kServerExiting, "ERR_SERVER_EXITING")              \
  X(501, kInternal, "ERR_INTERNAL")                         \
  X(502, kNotSupported, "ERR_NOT_SUPPORTED")                \
  X(503, kMemory, "ERR_MEMORY")                             \
  X(504, kOrtLibrary, "ERR_ORT_LIBRARY")                    \
  X(505, kClosed, "ERR_CLOSED")                             \
  X(506, kRouteUnknown, "ERR_ROUTE_UNKNOWN")                \
  X(507, kRouteMethod, "ERR_ROUTE_METHOD")                  \
  X(600, kConfigOption, "ERR_CONFIG_OPTION")                \
  X(601, kPortBusy, "ERR_PORT_BUSY")                        \
  X(700, kGpuMemory, "ERR_GPU_OOM")                         \
  X(701, kGpuFault, "ERR_GPU_FAULT")                        \
  X(702, kGpuLost, "ERR_GPU_LOST")                          \
  X(703, kGpuUnavailable, "ERR_GPU_UNAVAILABLE")            \
  X(704, kCudaProvider, "ERR_CUDA_PROVIDER")                \
  X(800, kPullSource, "ERR_PULL_SOURCE")                    \
  X(801, kPullRefused, "ERR_PULL_REFUSED")                  \
  X(802, kPullTarget, "ERR_PULL_TARGET")

enum class StatusCode : int32_t {
#define PENSTOCK_STATUS_ENUM(number, name, text) name = number,
  PENSTOCK_STATUS_TABLE(PENSTOCK_STATUS_ENUM)
#undef PENSTOCK_STATUS_ENUM
};

// Stable text of a code ("ERR_QUEUE_FULL"); "ERR_INTERNAL" for a number that is not in the table.
const char* StatusCodeName(StatusCode code);

class [[nodiscard]] Status {
 public:
  Status() = default;
  Status(StatusCode code, std::string message) : code_(code), message_(std::move(message)) {}
  static Status Ok() { return Status(); }

  bool ok() const { return code_ == StatusCode::kOk; }
  StatusCode code() const { return code_; }
  const std::string& message() const { return message_; }

  // Of a refusal that passes: milliseconds after which a retry makes sense, before any jitter. 0 = nothing is known.
  int64_t retry_after_ms() const { return retry_after_ms_; }
  Status WithRetryAfter(int64_t ms) && {
    retry_after_ms_ = ms;
    return std::move(*this);
  }

 private:
  StatusCode code_ = StatusCode::kOk;
  std::string message_;
  int64_t retry_after_ms_ = 0;
};

// kMemory: an allocation for a request has failed.
inline Status NoMemoryForRequest() { return Status(StatusCode::kMemory, "the machine has no memory left for this request"); }

// A value, or the status that says why there is none. `value()` may be called only when `ok()`.
template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : value_(std::move(value)) {}             // NOLINT: implicit by design, as `return value;`
  Result(Status status) : status_(std::move(status)) {}     // NOLINT: implicit by design, as `return status;`

  bool ok() const { return value_.has_value(); }
  const Status& status() const { return status_; }
  T& value() & { return *value_; }
  const T& value() const& { return *value_; }
  T&& value() && { return std::move(*value_); }

 private:
  Status status_;
  std::optional<T> value_;
};

// Early return on failure.
#define PENSTOCK_RETURN_IF_ERROR(expression)                        \
  do {                                                              \
    ::penstock::Status penstock_status_ = (expression);             \
    if (!penstock_status_.ok()) return penstock_status_;            \
  } while (false)

}  // namespace penstock
