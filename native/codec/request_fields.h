// What every codec checks while it puts a request together: names, dtypes, shapes, sizes and parameters. Messages start with the field's
// path as the client wrote it ("inputs[1].shape[0]"), then the value found and what was expected.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/data_type.h"
#include "base/status.h"
#include "codec/field_path.h"
#include "codec/limits.h"
#include "serving/infer_request.h"

namespace penstock::codec {

// Client text for a message: in double quotes, cut after 64 bytes, everything but printable ASCII and well-formed UTF-8 escaped.
std::string Quote(std::string_view text);

// "parent.name", or `parent["na me"]` (quoted as above) when the name is not a plain word.
std::string MemberPath(std::string_view parent, std::string_view name);

// "`path`: found `found`, expected `expected`".
Status FieldError(StatusCode code, const FieldPath& path, std::string_view found, std::string_view expected);

// A tensor's name: 1 to max_name_bytes bytes. kRequestField.
Status CheckName(std::string_view name, const FieldPath& path, const CodecLimits& limits);

// A request's id: at most max_name_bytes bytes. kRequestField.
Status CheckId(std::string_view id, const CodecLimits& limits);

// How many inputs or outputs a request may name. kRequestField.
Status CheckTensorCount(size_t count, const FieldPath& path, const CodecLimits& limits);

// How many members one parameters object may have. kRequestParameter.
Status CheckParameterCount(size_t count, const FieldPath& path, const CodecLimits& limits);

// kTensorDtype for a name that is not one of the protocol's.
Result<DataType> ReadDataType(std::string_view name, const FieldPath& path);

// Rank at most max_dims, no negative dim, product of dims without overflow; `path` is the shape's ("inputs[0].shape"). Returns the element
// count. kTensorShape.
Result<uint64_t> CheckShape(const std::vector<int64_t>& shape, const FieldPath& path, const CodecLimits& limits);

// Bytes of `elements` elements of a fixed-size dtype, at most max_tensor_bytes. `path` is the tensor's. kRequestTooLarge.
Result<uint64_t> CheckTensorBytes(DataType dtype, uint64_t elements, const FieldPath& path, const CodecLimits& limits);

// Parameters of one input or output, by name: kNotSupported for shared memory and classification, OK for everything else.
// `path` is the tensor's ("outputs[0]").
Status CheckTensorParameter(std::string_view name, const FieldPath& path);

// Inputs, and outputs, must have names that differ. kTensorName.
Status CheckUniqueNames(const serving::InferRequest& request);

// Sorts a request's parameters into the reserved ones (fields of InferRequest) and the custom ones (InferRequest::parameters).
class RequestParameters {
 public:
  using Value = decltype(serving::Parameter::value);

  // Both must outlive this object.
  RequestParameters(serving::InferRequest* request, const CodecLimits& limits) : request_(request), limits_(limits) {}

  // Reserved: `timeout` and `priority` (whole numbers from 0), `binary_data_output` (bool), `sequence_id` (0 or "" only),
  // `sequence_start` and `sequence_end` (false only), `headers` (never). Names starting `triton_` are refused; a codec whose protocol
  // allows one of them takes it out first. Errors: kRequestParameter, kNotSupported (sequences).
  Status Add(std::string name, Value value);

  // To be called once after the last Add. kRequestField when a name was added twice.
  Status Finish();

 private:
  serving::InferRequest* request_;
  const CodecLimits& limits_;
  std::vector<std::string> reserved_;  // names seen
};

}  // namespace penstock::codec
