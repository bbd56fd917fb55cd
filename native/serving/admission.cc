#include "serving/admission.h"

#include <string>

#include "base/checked_math.h"

namespace penstock::serving {

Result<std::shared_ptr<const void>> Admission::Admit(uint64_t bytes) {
  if (limits_.max_bytes != 0 && bytes > limits_.max_bytes) {
    return Status(StatusCode::kRequestTooLarge, "found " + std::to_string(bytes) + " bytes of input, expected at most " +
                                                    std::to_string(limits_.max_bytes) + ", the limit for all requests in flight");
  }
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (limits_.max_requests != 0 && requests_ >= limits_.max_requests) {
      return Status(StatusCode::kInFlightFull, std::to_string(requests_) + " requests are in flight, the limit is " +
                                                   std::to_string(limits_.max_requests) + "; retry later");
    }
    uint64_t total = 0;
    if (!CheckedAdd(bytes_, bytes, &total) || (limits_.max_bytes != 0 && total > limits_.max_bytes)) {
      return Status(StatusCode::kInFlightFull, std::to_string(bytes_) + " bytes are in flight, " + std::to_string(bytes) +
                                                   " more would pass the limit of " + std::to_string(limits_.max_bytes) + "; retry later");
    }
    bytes_ = total;
    ++requests_;
  }
  return std::shared_ptr<const void>(this, [this, bytes](const void*) { GiveBack(1, bytes); });
}

std::shared_ptr<const void> Admission::Charge(uint64_t bytes) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    bytes_ += bytes;
  }
  return std::shared_ptr<const void>(this, [this, bytes](const void*) { GiveBack(0, bytes); });
}

void Admission::GiveBack(uint64_t requests, uint64_t bytes) {
  const std::lock_guard<std::mutex> lock(mutex_);
  bytes_ -= bytes;
  requests_ -= requests;
}

uint64_t Admission::requests() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return requests_;
}

uint64_t Admission::bytes() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return bytes_;
}

}  // namespace penstock::serving
