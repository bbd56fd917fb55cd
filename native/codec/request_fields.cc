#include "codec/request_fields.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <type_traits>
#include <utility>

#include "base/checked_math.h"
#include "codec/utf8.h"

namespace penstock::codec {
namespace {

constexpr size_t kQuotedBytes = 64;
constexpr char kHexDigits[] = "0123456789abcdef";

bool IsPlainWord(std::string_view name) {
  if (name.empty() || name.size() > kQuotedBytes) return false;
  return std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  });
}

std::string Describe(const RequestParameters::Value& value) {
  struct Visitor {
    std::string operator()(bool v) const { return v ? "true" : "false"; }
    std::string operator()(int64_t v) const { return std::to_string(v); }
    std::string operator()(uint64_t v) const { return std::to_string(v); }
    std::string operator()(double v) const {
      char text[32];
      return std::string(text, std::to_chars(text, text + sizeof(text), v).ptr);
    }
    std::string operator()(const std::string& v) const { return Quote(v); }
  };
  return std::visit(Visitor{}, value);
}

// The value as a whole number from 0, if it is one.
std::optional<uint64_t> WholeNumber(const RequestParameters::Value& value) {
  if (const auto* number = std::get_if<uint64_t>(&value)) return *number;
  const auto* number = std::get_if<int64_t>(&value);
  if (number == nullptr || *number < 0) return std::nullopt;
  return static_cast<uint64_t>(*number);
}

Status ParameterError(std::string_view name, const RequestParameters::Value& value, std::string_view expected) {
  return FieldError(StatusCode::kRequestParameter, MemberPath("parameters", name), Describe(value), expected);
}

Status SequenceRefused(std::string_view name) {
  return Status(StatusCode::kNotSupported, MemberPath("parameters", name) + ": sequences are not supported");
}

Status CheckSequenceId(const RequestParameters::Value& value) {
  if (const auto* text = std::get_if<std::string>(&value)) return text->empty() ? Status::Ok() : SequenceRefused("sequence_id");
  const std::optional<uint64_t> number = WholeNumber(value);
  if (!number) return ParameterError("sequence_id", value, "a whole number from 0 or a string");
  return *number == 0 ? Status::Ok() : SequenceRefused("sequence_id");
}

Status CheckSequenceFlag(std::string_view name, const RequestParameters::Value& value) {
  const auto* flag = std::get_if<bool>(&value);
  if (flag == nullptr) return ParameterError(name, value, "true or false");
  return *flag ? SequenceRefused(name) : Status::Ok();
}

Status ReadWholeNumber(std::string_view name, const RequestParameters::Value& value, uint64_t* out) {
  const std::optional<uint64_t> number = WholeNumber(value);
  if (!number) return ParameterError(name, value, "a whole number from 0 to 18446744073709551615");
  *out = *number;
  return Status::Ok();
}

// Two neighbours in sorted order that are equal, if any: no quadratic search, however many names a client sends.
std::optional<std::string_view> FindRepeated(std::vector<std::string_view> names) {
  std::sort(names.begin(), names.end());
  const auto repeated = std::adjacent_find(names.begin(), names.end());
  if (repeated == names.end()) return std::nullopt;
  return *repeated;
}

template <typename Tensors>
Status CheckUniqueTensors(const Tensors& tensors, std::string_view path) {
  if (tensors.size() < 2) return Status::Ok();
  std::vector<std::string_view> names;
  names.reserve(tensors.size());
  for (const auto& tensor : tensors) names.push_back(tensor.name);
  const auto repeated = FindRepeated(std::move(names));
  if (!repeated) return Status::Ok();
  return Status(StatusCode::kTensorName, std::string(path) + ": the name " + Quote(*repeated) + " appears twice");
}

}  // namespace

std::string Quote(std::string_view text) {
  std::string quoted = "\"";
  const char* at = text.data();
  const char* const end = at + text.size();
  const char* const stop = at + std::min(text.size(), kQuotedBytes);
  while (at < stop) {
    const size_t length = Utf8SequenceLength(at, end);
    if (length > static_cast<size_t>(stop - at)) break;
    const auto byte = static_cast<uint8_t>(*at);
    if (*at == '"' || *at == '\\') {
      quoted += {'\\', *at};
    } else if (length == 0 || byte < 0x20 || byte == 0x7F) {
      quoted += {'\\', 'x', kHexDigits[byte >> 4], kHexDigits[byte & 15]};
    } else {
      quoted.append(at, length);
    }
    at += std::max<size_t>(length, 1);
  }
  quoted += at < end ? "\"..." : "\"";
  return quoted;
}

std::string MemberPath(std::string_view parent, std::string_view name) {
  std::string path(parent);
  if (!IsPlainWord(name)) return path + "[" + Quote(name) + "]";
  if (!path.empty()) path += '.';
  return path.append(name);
}

Status FieldError(StatusCode code, const FieldPath& path, std::string_view found, std::string_view expected) {
  std::string message = path.Text();
  message.append(": found ").append(found).append(", expected ").append(expected);
  return Status(code, std::move(message));
}

Status CheckName(std::string_view name, const FieldPath& path, const CodecLimits& limits) {
  if (!name.empty() && name.size() <= limits.max_name_bytes) return Status::Ok();
  return FieldError(StatusCode::kRequestField, path, Quote(name) + " (" + std::to_string(name.size()) + " bytes)",
                    "1 to " + std::to_string(limits.max_name_bytes) + " bytes");
}

Status CheckId(std::string_view id, const CodecLimits& limits) {
  if (id.size() <= limits.max_name_bytes) return Status::Ok();
  return FieldError(StatusCode::kRequestField, "id", std::to_string(id.size()) + " bytes",
                    "at most " + std::to_string(limits.max_name_bytes));
}

Status CheckTensorCount(size_t count, const FieldPath& path, const CodecLimits& limits) {
  if (count <= limits.max_tensors) return Status::Ok();
  return FieldError(StatusCode::kRequestField, path, "more than " + std::to_string(limits.max_tensors) + " tensors",
                    "at most " + std::to_string(limits.max_tensors));
}

Status CheckParameterCount(size_t count, const FieldPath& path, const CodecLimits& limits) {
  if (count <= limits.max_parameters) return Status::Ok();
  const std::string limit = std::to_string(limits.max_parameters);
  return FieldError(StatusCode::kRequestParameter, path, "more than " + limit + " parameters", "at most " + limit);
}

Result<DataType> ReadDataType(std::string_view name, const FieldPath& path) {
  const DataType dtype = DataTypeFromName(name);
  if (dtype != DataType::kInvalid) return dtype;
  return FieldError(StatusCode::kTensorDtype, path, Quote(name),
                    "BOOL, UINT8, UINT16, UINT32, UINT64, INT8, INT16, INT32, INT64, FP16, BF16, FP32, FP64 or BYTES");
}

Result<uint64_t> CheckShape(const std::vector<int64_t>& shape, const FieldPath& path, const CodecLimits& limits) {
  if (shape.size() > limits.max_dims) {
    return FieldError(StatusCode::kTensorShape, path, std::to_string(shape.size()) + " dims", "at most " + std::to_string(limits.max_dims));
  }
  for (size_t i = 0; i < shape.size(); ++i) {
    if (shape[i] >= 0) continue;
    return FieldError(StatusCode::kTensorShape, FieldPath(path, i), std::to_string(shape[i]),
                      "a whole number from 0 to 9223372036854775807");
  }
  uint64_t elements = 0;
  if (ElementCount(shape, &elements)) return elements;
  return Status(StatusCode::kTensorShape, path.Text() + ": the product of the dims passes 9223372036854775807");
}

Result<uint64_t> CheckTensorBytes(DataType dtype, uint64_t elements, const FieldPath& path, const CodecLimits& limits) {
  uint64_t bytes = 0;
  if (CheckedMul(elements, DataTypeSize(dtype), &bytes) && bytes <= limits.max_tensor_bytes) return bytes;
  return FieldError(StatusCode::kRequestTooLarge, path, std::to_string(elements) + " elements of " + std::string(DataTypeName(dtype)),
                    "at most " + std::to_string(limits.max_tensor_bytes) + " bytes");
}

Status CheckTensorParameter(std::string_view name, const FieldPath& path) {
  const bool shared_memory = name == "shared_memory_region" || name == "shared_memory_offset" || name == "shared_memory_byte_size";
  if (!shared_memory && name != "classification") return Status::Ok();
  const char* const feature = shared_memory ? ": shared memory" : ": classification";
  const FieldPath parameters(path, "parameters");
  return Status(StatusCode::kNotSupported, FieldPath(parameters, name).Text() + feature + " is not supported yet");
}

Status CheckUniqueNames(const serving::InferRequest& request) {
  PENSTOCK_RETURN_IF_ERROR(CheckUniqueTensors(request.inputs, "inputs"));
  return CheckUniqueTensors(request.outputs, "outputs");
}

Status RequestParameters::Add(std::string name, Value value) {
  PENSTOCK_RETURN_IF_ERROR(CheckName(name, MemberPath("parameters", name), limits_));
  PENSTOCK_RETURN_IF_ERROR(CheckParameterCount(request_->parameters.size() + reserved_.size() + 1, "parameters", limits_));
  if (name == "headers") return Status(StatusCode::kRequestParameter, "parameters.headers: this name is reserved");
  if (name.compare(0, 7, "triton_") == 0) {
    return Status(StatusCode::kRequestParameter, MemberPath("parameters", name) + ": names that start with triton_ are reserved");
  }
  Status status;
  if (name == "timeout") {
    status = ReadWholeNumber(name, value, &request_->timeout_us);
  } else if (name == "priority") {
    status = ReadWholeNumber(name, value, &request_->priority);
  } else if (name == "binary_data_output") {
    const auto* flag = std::get_if<bool>(&value);
    if (flag == nullptr) return ParameterError(name, value, "true or false");
    request_->binary_output = *flag;
  } else if (name == "sequence_id") {
    status = CheckSequenceId(value);
  } else if (name == "sequence_start" || name == "sequence_end") {
    status = CheckSequenceFlag(name, value);
  } else {
    request_->parameters.push_back({std::move(name), std::move(value)});
    return Status::Ok();
  }
  reserved_.push_back(std::move(name));
  return status;
}

Status RequestParameters::Finish() {
  std::vector<std::string_view> names(reserved_.begin(), reserved_.end());
  for (const serving::Parameter& parameter : request_->parameters) names.push_back(parameter.name);
  const auto repeated = FindRepeated(std::move(names));
  if (!repeated) return Status::Ok();
  return Status(StatusCode::kRequestField, MemberPath("parameters", *repeated) + ": appears twice");
}

}  // namespace penstock::codec
