#include "codec/http_reply.h"

#include <cmath>
#include <cstring>
#include <new>
#include <string>
#include <string_view>
#include <utility>

#include "base/checked_math.h"
#include "codec/bytes_framing.h"
#include "codec/json_string.h"
#include "codec/number_text.h"
#include "codec/request_fields.h"

namespace penstock::codec {
namespace {

using serving::OutputForm;
using serving::ReplyOutput;

// Of a document whose outputs are binary: one allocation where there are few of them.
constexpr size_t kUsualBytes = 256;

Status NotJson(const ReplyOutput& output, const std::string& what, uint64_t element) {
  return Status(StatusCode::kTensorNotJson, "output " + Quote(output.name) + " holds " + what + " at element " + std::to_string(element) +
                                                ", which JSON cannot carry: ask for it as binary");
}

// What the engine hands over is checked all the same: these sizes steer reads of memory.
Status Inconsistent(const ReplyOutput& output) {
  return Status(StatusCode::kInternal, "output " + Quote(output.name) + " has bytes that do not fit its shape");
}

Status AppendName(std::string_view key, const std::string& text, std::string* json) {
  *json += key;
  if (AppendJsonString(text, json)) return Status::Ok();
  return Status(StatusCode::kTensorNotJson, "the name " + Quote(text) + " is not UTF-8, so JSON cannot carry it");
}

// What AppendNumber refused: the number is of a float type, and NaN or an infinity.
std::string NameNotFinite(const uint8_t* element, DataType dtype) {
  double value = 0;
  if (dtype == DataType::kFp64) {
    std::memcpy(&value, element, sizeof(value));
  } else if (dtype == DataType::kFp32) {
    float narrow = 0;
    std::memcpy(&narrow, element, sizeof(narrow));
    value = narrow;
  } else {
    uint16_t bits = 0;
    std::memcpy(&bits, element, sizeof(bits));
    value = dtype == DataType::kFp16 ? HalfToFloat(bits) : BrainToFloat(bits);
  }
  if (std::isnan(value)) return "NaN";
  return value > 0 ? "infinity" : "-infinity";
}

Status AppendFixedSize(const ReplyOutput& output, const memory::Slice& bytes, uint64_t elements, std::string* json) {
  const size_t size = DataTypeSize(output.dtype);
  uint64_t needed = 0;
  if (!CheckedMul(elements, size, &needed) || needed != bytes.size) return Inconsistent(output);
  json->reserve(json->size() + 3 * bytes.size);  // about what numbers take, with their commas; a wrong guess costs a copy
  for (uint64_t i = 0; i < elements; ++i) {
    const uint8_t* const element = bytes.data + i * size;
    if (output.dtype == DataType::kBool) {
      *json += *element != 0 ? "true" : "false";
    } else if (!AppendNumber(element, output.dtype, json)) {
      return NotJson(output, NameNotFinite(element, output.dtype), i);
    }
    *json += ',';
  }
  return Status::Ok();
}

Status AppendStrings(const ReplyOutput& output, const memory::Slice& bytes, uint64_t elements, std::string* json) {
  const uint8_t* cursor = bytes.data;
  const uint8_t* const end = bytes.data + bytes.size;
  std::string_view element;
  for (uint64_t i = 0; i < elements; ++i) {
    if (!TakeBytesElement(&cursor, end, &element)) return Inconsistent(output);
    if (!AppendJsonString(element, json)) return NotJson(output, "bytes that are not UTF-8", i);
    *json += ',';
  }
  return cursor == end ? Status::Ok() : Inconsistent(output);
}

// Elements in row-major order in one flat array, whatever the shape.
Status AppendData(const ReplyOutput& output, const session::Tensor& tensor, std::string* json) {
  uint64_t elements = 0;
  if (!ElementCount(tensor.dims, &elements)) return Inconsistent(output);
  *json += "\"data\":[";
  PENSTOCK_RETURN_IF_ERROR(output.dtype == DataType::kBytes ? AppendStrings(output, tensor.bytes, elements, json)
                                                            : AppendFixedSize(output, tensor.bytes, elements, json));
  if (elements > 0) json->pop_back();
  *json += ']';
  return Status::Ok();
}

void AppendShape(const std::vector<int64_t>& dims, std::string* json) {
  *json += ",\"shape\":[";
  for (size_t i = 0; i < dims.size(); ++i) {
    if (i > 0) *json += ',';
    AppendInteger(dims[i], json);
  }
  *json += "],";
}

Status AppendOutput(const ReplyOutput& output, const session::Tensor& tensor, HttpReply* reply) {
  std::string& json = reply->json;
  PENSTOCK_RETURN_IF_ERROR(AppendName("{\"name\":", output.name, &json));
  json.append(",\"datatype\":\"").append(DataTypeName(output.dtype)).append("\"");
  AppendShape(tensor.dims, &json);
  if (output.form == OutputForm::kBinary) {
    json += "\"parameters\":{\"binary_data_size\":";
    AppendInteger(static_cast<int64_t>(tensor.bytes.size), &json);
    json += '}';
    if (tensor.bytes.size > 0) reply->tails.push_back(tensor.bytes);
  } else {
    PENSTOCK_RETURN_IF_ERROR(AppendData(output, tensor, &json));
  }
  json += '}';
  return Status::Ok();
}

Result<HttpReply> Encode(const serving::ReplyPlan& plan, const pipeline::Outcome& outcome) {
  if (plan.outputs.size() != outcome.outputs.size()) {
    return Status(StatusCode::kInternal, "the outcome has " + std::to_string(outcome.outputs.size()) + " outputs, the plan " +
                                             std::to_string(plan.outputs.size()));
  }
  HttpReply reply;
  std::string& json = reply.json;
  json.reserve(kUsualBytes);
  json = "{";
  if (!plan.id.empty()) {
    PENSTOCK_RETURN_IF_ERROR(AppendName("\"id\":", plan.id, &json));
    json += ',';
  }
  PENSTOCK_RETURN_IF_ERROR(AppendName("\"model_name\":", plan.model_name, &json));
  PENSTOCK_RETURN_IF_ERROR(AppendName(",\"model_version\":", plan.model_version, &json));
  json += ",\"outputs\":[";
  for (size_t i = 0; i < plan.outputs.size(); ++i) {
    if (i > 0) json += ',';
    PENSTOCK_RETURN_IF_ERROR(AppendOutput(plan.outputs[i], outcome.outputs[i], &reply));
  }
  json += "]}";
  reply.is_binary = !reply.tails.empty();
  return reply;
}

}  // namespace

Result<HttpReply> EncodeHttpReply(const serving::ReplyPlan& plan, const pipeline::Outcome& outcome) {
  try {
    return Encode(plan, outcome);
  } catch (const std::bad_alloc&) {
    return Status(StatusCode::kMemory, "no memory left to write the reply");
  }
}

}  // namespace penstock::codec
