#include "frontend/grpc_plain_infer.h"

#include <algorithm>

#include "frontend/grpc_infer_stream.h"
#include "frontend/grpc_text.h"

namespace penstock::frontend {
namespace {

bool IsOnce(const std::vector<HeaderField>& fields, std::string_view name) {
  return std::count_if(fields.begin(), fields.end(), [&](const HeaderField& field) { return field.name == name; }) == 1;
}

// As it is written: grpc-js compares it so.
bool ReadEncoding(std::string_view name, AnswerEncoding* encoding) {
  for (const AnswerEncoding known : {AnswerEncoding::kIdentity, AnswerEncoding::kGzip, AnswerEncoding::kDeflate}) {
    if (name != NameOf(known)) continue;
    *encoding = known;
    return true;
  }
  return false;
}

}  // namespace

const HeaderField* FindField(const std::vector<HeaderField>& fields, std::string_view name) {
  const auto found = std::find_if(fields.begin(), fields.end(), [&](const HeaderField& field) { return field.name == name; });
  return found == fields.end() ? nullptr : &*found;
}

std::optional<PlainInfer> ReadPlainInfer(const std::vector<HeaderField>& fields, bool decompresses) {
  PlainInfer infer;
  const HeaderField* path = FindField(fields, ":path");
  const HeaderField* method = FindField(fields, ":method");
  if (path == nullptr || path->value != kModelInferPath || method == nullptr || method->value != "POST") return std::nullopt;
  const HeaderField* type = FindField(fields, "content-type");
  if (type == nullptr || !IsOnce(fields, "content-type")) return std::nullopt;
  if (type->value != "application/grpc" && type->value != "application/grpc+proto") return std::nullopt;
  const HeaderField* encoding = FindField(fields, "grpc-encoding");
  if (encoding != nullptr && (!ReadEncoding(encoding->value, &infer.encoding) || !IsOnce(fields, "grpc-encoding"))) return std::nullopt;
  if (infer.encoding != AnswerEncoding::kIdentity && !decompresses) return std::nullopt;
  const HeaderField* timeout = FindField(fields, "grpc-timeout");
  if (timeout == nullptr) return infer;
  if (!IsOnce(fields, "grpc-timeout") || !ParseGrpcTimeout(timeout->value, &infer.timeout_ns)) return std::nullopt;
  infer.timeout_ns = std::max<int64_t>(infer.timeout_ns, 1);
  return infer;
}

}  // namespace penstock::frontend
