#include "frontend/grpc_plain_infer.h"

#include <algorithm>

#include "frontend/grpc_infer_stream.h"
#include "frontend/grpc_text.h"

namespace penstock::frontend {
namespace {

bool IsOnce(const std::vector<HeaderField>& fields, std::string_view name) {
  return std::count_if(fields.begin(), fields.end(), [&](const HeaderField& field) { return field.name == name; }) == 1;
}

}  // namespace

const HeaderField* FindField(const std::vector<HeaderField>& fields, std::string_view name) {
  const auto found = std::find_if(fields.begin(), fields.end(), [&](const HeaderField& field) { return field.name == name; });
  return found == fields.end() ? nullptr : &*found;
}

bool IsPlainInfer(const std::vector<HeaderField>& fields, int64_t* timeout_ns) {
  const HeaderField* path = FindField(fields, ":path");
  const HeaderField* method = FindField(fields, ":method");
  if (path == nullptr || path->value != kModelInferPath || method == nullptr || method->value != "POST") return false;
  const HeaderField* type = FindField(fields, "content-type");
  if (type == nullptr || !IsOnce(fields, "content-type")) return false;
  if (type->value != "application/grpc" && type->value != "application/grpc+proto") return false;
  const HeaderField* encoding = FindField(fields, "grpc-encoding");
  if (encoding != nullptr && (encoding->value != "identity" || !IsOnce(fields, "grpc-encoding"))) return false;
  const HeaderField* timeout = FindField(fields, "grpc-timeout");
  *timeout_ns = 0;
  if (timeout == nullptr) return true;
  if (!IsOnce(fields, "grpc-timeout") || !ParseGrpcTimeout(timeout->value, timeout_ns)) return false;
  *timeout_ns = std::max<int64_t>(*timeout_ns, 1);
  return true;
}

}  // namespace penstock::frontend
