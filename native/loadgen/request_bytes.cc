#include "loadgen/request_bytes.h"

namespace penstock::loadgen {
namespace {

constexpr const char* kModelInfer = "/inference.GRPCInferenceService/ModelInfer";

// HTTP/2 knows no other names.
std::string Small(std::string name) {
  for (char& c : name) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return name;
}

}  // namespace

std::string Authority(const std::string& host, uint16_t port) {
  const bool is_ipv6 = host.find(':') != std::string::npos;
  return (is_ipv6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

std::string HttpRequestOf(const RequestParts& parts, const std::string& authority) {
  const std::string method = parts.method.empty() ? "POST" : parts.method;
  const std::string path = parts.path.empty() ? "/" : parts.path;
  std::string request = method + " " + path + " HTTP/1.1\r\nHost: " + authority + "\r\n";
  for (const auto& [name, value] : parts.headers) request += name + ": " + value + "\r\n";
  return request + "Content-Length: " + std::to_string(parts.body.size()) + "\r\n\r\n" + parts.body;
}

GrpcRequest GrpcRequestOf(const RequestParts& parts, const std::string& authority) {
  GrpcRequest request;
  request.fields = {{":method", "POST"},       {":scheme", "http"}, {":path", parts.path.empty() ? kModelInfer : parts.path},
                    {":authority", authority}, {"te", "trailers"},  {"content-type", "application/grpc"}};
  for (const auto& [name, value] : parts.headers) request.fields.emplace_back(Small(name), value);
  request.body = '\0';  // not compressed
  for (int shift = 24; shift >= 0; shift -= 8) request.body += static_cast<char>(parts.body.size() >> shift & 0xff);
  request.body += parts.body;
  return request;
}

}  // namespace penstock::loadgen
