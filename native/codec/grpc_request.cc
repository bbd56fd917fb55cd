#include <algorithm>
#include <map>
#include <new>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "codec/grpc_contents.h"
#include "codec/grpc_message.h"
#include "codec/grpc_pieces.h"
#include "codec/protobuf_reader.h"
#include "codec/request_fields.h"

namespace penstock::codec {
namespace {

// Protobuf's limit on one message, which Triton's clients and servers share.
constexpr size_t kMaxMessageBytes = INT32_MAX;

using serving::InferRequest;
using Value = RequestParameters::Value;
// Views are of the message. A key that comes twice has its last value, as in every protobuf map.
using ParameterMap = std::map<std::string_view, Value>;

std::string Indexed(std::string_view path, size_t index) { return std::string(path) + '[' + std::to_string(index) + ']'; }

// InferParameter; *chosen tells whether any member of its oneof was there.
Status ReadParameterValue(ProtobufReader reader, Value* value, bool* chosen) {
  while (!reader.AtEnd()) {
    PENSTOCK_RETURN_IF_ERROR(reader.Next());
    uint64_t varint = 0;
    double number = 0;
    std::string_view text;
    switch (reader.number()) {
      case 1:
        PENSTOCK_RETURN_IF_ERROR(reader.Varint("bool_param", &varint));
        *value = varint != 0;
        break;
      case 2:
        PENSTOCK_RETURN_IF_ERROR(reader.Varint("int64_param", &varint));
        *value = static_cast<int64_t>(varint);
        break;
      case 3:
        PENSTOCK_RETURN_IF_ERROR(reader.Text("string_param", &text));
        *value = std::string(text);
        break;
      case 4:
        PENSTOCK_RETURN_IF_ERROR(reader.Double("double_param", &number));
        *value = number;
        break;
      case 5:
        PENSTOCK_RETURN_IF_ERROR(reader.Varint("uint64_param", &varint));
        *value = varint;
        break;
      default:
        PENSTOCK_RETURN_IF_ERROR(reader.Skip());
        continue;
    }
    *chosen = true;
  }
  return Status::Ok();
}

// One entry of `message`'s map of parameters.
Status ReadParameter(ProtobufReader* message, const CodecLimits& limits, size_t* entries, ParameterMap* parameters) {
  const std::string path = message->PathOf("parameters");
  Result<ProtobufReader> entry = message->Message("parameters", path);
  if (!entry.ok()) return entry.status();
  if (++*entries > limits.max_parameters) {
    return FieldError(StatusCode::kRequestParameter, path, "more than " + std::to_string(limits.max_parameters) + " entries",
                      "at most " + std::to_string(limits.max_parameters));
  }
  ProtobufReader& reader = entry.value();
  std::string_view name;
  Value value;
  bool chosen = false;
  while (!reader.AtEnd()) {
    PENSTOCK_RETURN_IF_ERROR(reader.Next());
    if (reader.number() == 1) {
      PENSTOCK_RETURN_IF_ERROR(reader.Text("key", &name));
    } else if (reader.number() == 2) {
      Result<ProtobufReader> nested = reader.Message("value", MemberPath(path, name));
      if (!nested.ok()) return nested.status();
      PENSTOCK_RETURN_IF_ERROR(ReadParameterValue(std::move(nested).value(), &value, &chosen));
    } else {
      PENSTOCK_RETURN_IF_ERROR(reader.Skip());
    }
  }
  if (!chosen) {
    return FieldError(StatusCode::kRequestParameter, MemberPath(path, name), "no value",
                      "one of bool_param, int64_param, string_param, double_param, uint64_param");
  }
  parameters->insert_or_assign(name, std::move(value));
  return Status::Ok();
}

Status CheckTensorParameters(const ParameterMap& parameters, const FieldPath& path) {
  for (const auto& [name, value] : parameters) PENSTOCK_RETURN_IF_ERROR(CheckTensorParameter(name, path));
  return Status::Ok();
}

Status SortParameters(ParameterMap parameters, const CodecLimits& limits, InferRequest* request) {
  RequestParameters sorted(request, limits);
  for (auto& [name, value] : parameters) {
    if (name == "binary_data_output") continue;  // gRPC has one form of output
    if (name == "triton_enable_empty_final_response") {
      if (std::holds_alternative<bool>(value)) continue;  // every model here answers once, so there is no empty response to send
      return FieldError(StatusCode::kRequestParameter, MemberPath("parameters", name), "another type", "bool_param");
    }
    PENSTOCK_RETURN_IF_ERROR(sorted.Add(std::string(name), std::move(value)));
  }
  return sorted.Finish();
}

Status ReadDims(ProtobufReader* input, const CodecLimits& limits, std::vector<int64_t>* shape) {
  std::string_view bytes;
  PENSTOCK_RETURN_IF_ERROR(input->Elements("shape", WireType::kVarint, &bytes));
  const auto* cursor = reinterpret_cast<const uint8_t*>(bytes.data());
  const uint8_t* const end = cursor + bytes.size();
  shape->reserve(std::min(shape->size() + bytes.size(), limits.max_dims));  // a dim takes a byte at least
  while (cursor < end) {
    uint64_t dim = 0;
    if (!TakeVarint(&cursor, end, &dim)) return input->VarintError(input->PathOf("shape"), cursor, end);
    if (shape->size() == limits.max_dims) {
      return FieldError(StatusCode::kTensorShape, input->PathOf("shape"), "more than " + std::to_string(limits.max_dims) + " dims",
                        "at most " + std::to_string(limits.max_dims));
    }
    shape->push_back(static_cast<int64_t>(dim));
  }
  return Status::Ok();
}

// `raw`: this input's entry of raw_input_contents, null when the request has none.
Status ReadInput(const ProtobufReader& input, memory::SliceChain* raw, const CodecLimits& limits, serving::RequestTensor* tensor) {
  ProtobufReader reader = input;
  std::string_view name;
  std::string_view datatype;
  ParameterMap parameters;
  size_t entries = 0;
  while (!reader.AtEnd()) {
    PENSTOCK_RETURN_IF_ERROR(reader.Next());
    switch (reader.number()) {
      case 1:
        PENSTOCK_RETURN_IF_ERROR(reader.Text("name", &name));
        break;
      case 2:
        PENSTOCK_RETURN_IF_ERROR(reader.Text("datatype", &datatype));
        break;
      case 3:
        PENSTOCK_RETURN_IF_ERROR(ReadDims(&reader, limits, &tensor->shape));
        break;
      case 4:
        PENSTOCK_RETURN_IF_ERROR(ReadParameter(&reader, limits, &entries, &parameters));
        break;
      default:  // contents are read when datatype and shape are known
        PENSTOCK_RETURN_IF_ERROR(reader.Skip());
    }
  }
  const FieldPath path(reader.path());
  PENSTOCK_RETURN_IF_ERROR(CheckName(name, FieldPath(path, "name"), limits));
  tensor->name = std::string(name);
  Result<DataType> dtype = ReadDataType(datatype, FieldPath(path, "datatype"));
  if (!dtype.ok()) return dtype.status();
  tensor->dtype = dtype.value();
  Result<uint64_t> elements = CheckShape(tensor->shape, FieldPath(path, "shape"), limits);
  if (!elements.ok()) return elements.status();
  PENSTOCK_RETURN_IF_ERROR(CheckTensorParameters(parameters, path));
  if (raw == nullptr) return DecodeContents(input, elements.value(), limits, tensor);
  PENSTOCK_RETURN_IF_ERROR(RefuseContents(input));
  tensor->data = std::move(*raw);
  return Status::Ok();
}

Status ReadOutput(ProtobufReader reader, const CodecLimits& limits, serving::RequestedOutput* output) {
  std::string_view name;
  ParameterMap parameters;
  size_t entries = 0;
  while (!reader.AtEnd()) {
    PENSTOCK_RETURN_IF_ERROR(reader.Next());
    if (reader.number() == 1) {
      PENSTOCK_RETURN_IF_ERROR(reader.Text("name", &name));
    } else if (reader.number() == 2) {
      PENSTOCK_RETURN_IF_ERROR(ReadParameter(&reader, limits, &entries, &parameters));
    } else {
      PENSTOCK_RETURN_IF_ERROR(reader.Skip());
    }
  }
  const FieldPath path(reader.path());
  PENSTOCK_RETURN_IF_ERROR(CheckName(name, FieldPath(path, "name"), limits));
  output->name = std::string(name);
  return CheckTensorParameters(parameters, path);
}

// The outermost message, one level deep; what needs the whole message to be judged is kept as views of it.
struct TopLevel {
  std::string_view model_name;
  std::string_view model_version;
  std::string_view id;
  ParameterMap parameters;
  std::vector<ProtobufReader> inputs;
  std::vector<ProtobufReader> outputs;
  std::vector<memory::SliceChain> raw;
};

Status Enter(ProtobufReader* reader, std::string_view member, const CodecLimits& limits, std::vector<ProtobufReader>* list) {
  PENSTOCK_RETURN_IF_ERROR(CheckTensorCount(list->size() + 1, member, limits));
  Result<ProtobufReader> entered = reader->Message(member, Indexed(member, list->size()));
  if (!entered.ok()) return entered.status();
  list->push_back(std::move(entered).value());
  return Status::Ok();
}

// The next of raw_input_contents: out of the pieces' text, or left out of it already.
Status ReadRaw(ProtobufReader* reader, const MessagePieces& pieces, std::vector<memory::SliceChain>* raw) {
  const FieldPath list("raw_input_contents");
  const FieldPath path(list, raw->size());
  if (raw->size() < pieces.raw.size()) {
    PENSTOCK_RETURN_IF_ERROR(reader->Length(path));
    raw->push_back(pieces.raw[raw->size()]);
    return Status::Ok();
  }
  std::string_view bytes;
  PENSTOCK_RETURN_IF_ERROR(reader->Bytes(path, &bytes));
  raw->emplace_back(pieces.text.Sub(static_cast<size_t>(bytes.data() - reinterpret_cast<const char*>(pieces.text.data)), bytes.size()));
  return Status::Ok();
}

Status ReadTopLevel(const MessagePieces& pieces, const CodecLimits& limits, TopLevel* top) {
  const std::string_view text(reinterpret_cast<const char*>(pieces.text.data), pieces.text.size);
  ProtobufReader reader(text, limits.max_depth, &pieces.gaps);
  size_t entries = 0;
  while (!reader.AtEnd()) {
    PENSTOCK_RETURN_IF_ERROR(reader.Next());
    switch (reader.number()) {
      case 1:
        PENSTOCK_RETURN_IF_ERROR(reader.Text("model_name", &top->model_name));
        break;
      case 2:
        PENSTOCK_RETURN_IF_ERROR(reader.Text("model_version", &top->model_version));
        break;
      case 3:
        PENSTOCK_RETURN_IF_ERROR(reader.Text("id", &top->id));
        break;
      case 4:
        PENSTOCK_RETURN_IF_ERROR(ReadParameter(&reader, limits, &entries, &top->parameters));
        break;
      case 5:
        PENSTOCK_RETURN_IF_ERROR(Enter(&reader, "inputs", limits, &top->inputs));
        break;
      case 6:
        PENSTOCK_RETURN_IF_ERROR(Enter(&reader, "outputs", limits, &top->outputs));
        break;
      case 7:
        PENSTOCK_RETURN_IF_ERROR(CheckTensorCount(top->raw.size() + 1, "raw_input_contents", limits));
        PENSTOCK_RETURN_IF_ERROR(ReadRaw(&reader, pieces, &top->raw));
        break;
      default:
        PENSTOCK_RETURN_IF_ERROR(reader.Skip());
    }
  }
  return Status::Ok();
}

Status CheckSize(size_t message_bytes) {
  if (message_bytes <= kMaxMessageBytes) return Status::Ok();
  return FieldError(StatusCode::kRequestTooLarge, "message", std::to_string(message_bytes) + " bytes",
                    "at most " + std::to_string(kMaxMessageBytes));
}

Status NoMemory(size_t message_bytes) {
  return Status(StatusCode::kMemory, "no memory to decode a request of " + std::to_string(message_bytes) + " bytes");
}

Result<InferRequest> Decode(const MessagePieces& pieces, size_t message_bytes, const CodecLimits& limits) {
  TopLevel top;
  PENSTOCK_RETURN_IF_ERROR(ReadTopLevel(pieces, limits, &top));
  PENSTOCK_RETURN_IF_ERROR(CheckName(top.model_name, "model_name", limits));
  PENSTOCK_RETURN_IF_ERROR(CheckId(top.id, limits));
  if (top.model_version.size() > limits.max_name_bytes) {
    return FieldError(StatusCode::kRequestField, "model_version", std::to_string(top.model_version.size()) + " bytes",
                      "at most " + std::to_string(limits.max_name_bytes));
  }
  if (!top.raw.empty() && top.raw.size() != top.inputs.size()) {
    return FieldError(StatusCode::kRequestField, "raw_input_contents", std::to_string(top.raw.size()) + " entries",
                      std::to_string(top.inputs.size()) + ", one for each input");
  }

  InferRequest request;
  request.model_name = std::string(top.model_name);
  request.model_version = std::string(top.model_version);
  request.id = std::string(top.id);
  // Raw contents are slices of the message, and a call keeps its message until it is answered.
  request.message_bytes = message_bytes;
  PENSTOCK_RETURN_IF_ERROR(SortParameters(std::move(top.parameters), limits, &request));
  request.inputs.resize(top.inputs.size());
  CodecLimits left = limits;
  for (size_t i = 0; i < top.inputs.size(); ++i) {
    PENSTOCK_RETURN_IF_ERROR(ReadInput(top.inputs[i], top.raw.empty() ? nullptr : &top.raw[i], left, &request.inputs[i]));
    if (request.inputs[i].data_is_checked) left.max_tensor_bytes -= request.inputs[i].data.size();
  }
  request.outputs.resize(top.outputs.size());
  for (size_t i = 0; i < top.outputs.size(); ++i) {
    PENSTOCK_RETURN_IF_ERROR(ReadOutput(std::move(top.outputs[i]), limits, &request.outputs[i]));
  }
  PENSTOCK_RETURN_IF_ERROR(CheckUniqueNames(request));
  return request;
}

}  // namespace

Result<InferRequest> DecodeModelInferRequest(const memory::Slice& message, const CodecLimits& limits) {
  try {
    PENSTOCK_RETURN_IF_ERROR(CheckSize(message.size));
    MessagePieces whole;
    whole.text = message;
    return Decode(whole, message.size, limits);
  } catch (const std::bad_alloc&) {
    return NoMemory(message.size);
  }
}

Result<InferRequest> DecodeModelInferRequest(const memory::SliceChain& message, const CodecLimits& limits) {
  if (message.empty()) return DecodeModelInferRequest(memory::Slice(), limits);
  if (message.slices().size() == 1) return DecodeModelInferRequest(message.slices().front(), limits);
  try {
    PENSTOCK_RETURN_IF_ERROR(CheckSize(message.size()));
    const Result<MessagePieces> pieces = TakeOutRawContents(message, limits.max_tensors);
    if (!pieces.ok()) return pieces.status();
    return Decode(pieces.value(), message.size(), limits);
  } catch (const std::bad_alloc&) {
    return NoMemory(message.size());
  }
}

}  // namespace penstock::codec
