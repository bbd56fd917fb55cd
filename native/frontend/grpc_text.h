// Small texts of gRPC over HTTP/2: timeouts, messages and details in header fields.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace penstock::frontend {

// `grpc-timeout`: at most 8 digits and a unit (H M S m u n). False when it is anything else. Saturates.
bool ParseGrpcTimeout(std::string_view text, int64_t* nanoseconds);

// `grpc-message`: percent-encoded as grpc-js does it (encodeURI), clipped before to 800 characters (src/frontend/grpc/status.ts).
std::string GrpcMessage(std::string_view message);
// The same, clipped but not encoded: what google.rpc.Status carries.
std::string GrpcDetails(std::string_view message);

// `grpc-status-details-bin`: google.rpc.Status with google.rpc.RetryInfo, in base64 (src/frontend/grpc/retry-info.ts).
std::string RetryDetails(int grpc_status, std::string_view details, double delay_ms);

// "RESOURCE_EXHAUSTED" and so on.
const char* GrpcStatusName(int grpc_status);

}  // namespace penstock::frontend
