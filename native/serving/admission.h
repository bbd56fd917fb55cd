// Process-wide bounds on accepted work: requests, and bytes of inputs and of large answers in flight.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>

#include "base/status.h"

namespace penstock::serving {

struct AdmissionLimits {
  uint64_t max_requests = 0;  // 0 = unbounded
  uint64_t max_bytes = 0;     // 0 = unbounded
};

// Thread-safe. Counts are exact: a ticket gives back what it took when it is dropped, on whatever thread. Must outlive its tickets.
class Admission {
 public:
  explicit Admission(AdmissionLimits limits) : limits_(limits) {}

  // Errors: kInFlightFull naming the limit; kRequestTooLarge for a request that alone passes max_bytes, so that nobody retries it.
  Result<std::shared_ptr<const void>> Admit(uint64_t bytes);

  // Counts bytes that exist already, the outputs of a run, so that they keep new requests out. Never refused.
  std::shared_ptr<const void> Charge(uint64_t bytes);

  uint64_t requests() const;
  uint64_t bytes() const;

 private:
  void GiveBack(uint64_t requests, uint64_t bytes);

  const AdmissionLimits limits_;
  mutable std::mutex mutex_;
  uint64_t requests_ = 0;
  uint64_t bytes_ = 0;
};

}  // namespace penstock::serving
