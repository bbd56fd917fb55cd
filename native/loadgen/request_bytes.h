// What every request of a run carries, made once from what the command line says of it.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "loadgen/grpc_connection.h"

namespace penstock::loadgen {

// Empty where the protocol has its own.
struct RequestParts {
  std::string method;
  std::string path;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
};

// "HOST:PORT", an IPv6 address in brackets.
std::string Authority(const std::string& host, uint16_t port);

// Head and body of HTTP/1.1.
std::string HttpRequestOf(const RequestParts& parts, const std::string& authority);

// The body is at most 4 GiB less a byte; the method is not asked for.
GrpcRequest GrpcRequestOf(const RequestParts& parts, const std::string& authority);

}  // namespace penstock::loadgen
