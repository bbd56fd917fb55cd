#include "codec/http_document.h"

#include <limits>
#include <optional>
#include <string>
#include <utility>

#include "codec/json_reader.h"
#include "codec/json_tensor_data.h"
#include "codec/number_text.h"
#include "codec/request_fields.h"

namespace penstock::codec {
namespace {

using serving::OutputForm;
using serving::RequestedOutput;
using serving::RequestTensor;

// The keys met so far in one object, of those that are read.
class SeenKeys {
 public:
  Status Add(uint32_t key, const FieldPath& path) {
    if ((seen_ & key) != 0) return Status(StatusCode::kRequestField, path.Text() + ": appears twice");
    seen_ |= key;
    return Status::Ok();
  }
  bool Has(uint32_t key) const { return (seen_ & key) != 0; }

 private:
  uint32_t seen_ = 0;
};

constexpr size_t kUsualDims = 4;

enum TopKey : uint32_t { kId = 1, kParameters = 2, kInputs = 4, kOutputs = 8 };
enum TensorKey : uint32_t { kName = 1, kShape = 2, kDatatype = 4, kData = 8, kTensorParameters = 16 };

Status Missing(const FieldPath& path, const std::string& expected) {
  return FieldError(StatusCode::kRequestField, path, "nothing", expected);
}

class DocumentReader {
 public:
  DocumentReader(std::string_view json, const CodecLimits& limits) : reader_(json, limits.max_depth), limits_(limits) {}

  Result<HttpDocument> Read();

 private:
  // What is known of an input while its members are read, in whatever order they come.
  struct InputState {
    RequestTensor tensor;
    uint64_t elements = 0;
    SeenKeys seen;
    std::optional<JsonReader> data;  // bookmark of a `data` that came before shape and datatype
    std::optional<uint64_t> binary_size;
  };

  Status ReadTopMember(std::string_view key, SeenKeys* seen);
  template <typename ReadItem>
  Status ReadTensors(const FieldPath& path, ReadItem read_item);

  Status ReadInput(const FieldPath& path);
  Status ReadInputMember(std::string_view key, const FieldPath& path, InputState* input);
  Status ReadShape(const FieldPath& path, InputState* input);
  Status ReadInputData(const FieldPath& path, InputState* input);
  Status ReadTensor(JsonReader* reader, const FieldPath& path, InputState* input);
  Status FinishInput(const FieldPath& path, InputState* input);

  Status ReadOutput(const FieldPath& path);
  Status ReadOutputForm(const FieldPath& path, RequestedOutput* output);

  // `read_member` gets the name of each member of the parameters object of a tensor; it reads the value or, by `false`, leaves it.
  template <typename ReadMember>
  Status ReadTensorParameters(const FieldPath& path, ReadMember read_member);
  Status ReadRequestParameters();
  Status ReadParameterValue(std::string_view name, RequestParameters::Value* value);

  Status BeginObject(const FieldPath& path);
  Status ReadText(const FieldPath& path, std::string* text);
  Status ReadFlag(StatusCode code, const FieldPath& path, bool* flag);
  // A whole number from 0 to the largest of T.
  template <typename T>
  Status ReadWhole(StatusCode code, const FieldPath& path, DataType dtype, T* value);
  Status Skip() { return reader_.SkipValue() ? Status::Ok() : reader_.status(); }

  JsonReader reader_;
  CodecLimits limits_;  // max_tensor_bytes: what is left of it
  HttpDocument document_;
};

Status DocumentReader::BeginObject(const FieldPath& path) {
  if (reader_.Peek() != JsonKind::kObject) return WrongValue(reader_, StatusCode::kRequestField, path, "an object");
  return reader_.BeginObject() ? Status::Ok() : reader_.status();
}

Status DocumentReader::ReadText(const FieldPath& path, std::string* text) {
  if (reader_.Peek() != JsonKind::kString) return WrongValue(reader_, StatusCode::kRequestField, path, "a string");
  return reader_.ReadString(text) ? Status::Ok() : reader_.status();
}

Status DocumentReader::ReadFlag(StatusCode code, const FieldPath& path, bool* flag) {
  if (reader_.Peek() != JsonKind::kBool) return WrongValue(reader_, code, path, "true or false");
  return reader_.ReadBool(flag) ? Status::Ok() : reader_.status();
}

template <typename T>
Status DocumentReader::ReadWhole(StatusCode code, const FieldPath& path, DataType dtype, T* value) {
  static_assert(sizeof(T) == 8, "read as a 64-bit type");
  const auto wrong = [code, &path](const JsonReader& at) {
    return WrongValue(at, code, path, "a whole number from 0 to " + std::to_string(std::numeric_limits<T>::max()));
  };
  if (reader_.Peek() != JsonKind::kNumber) return wrong(reader_);
  const char* const start = reader_.cursor();
  std::string_view text;
  const char* why = "";
  if (!reader_.ReadNumber(&text)) return reader_.status();
  const bool whole = ParseNumber(text.data(), text.data() + text.size(), dtype, reinterpret_cast<uint8_t*>(value), &why) != nullptr;
  if (whole && text.front() != '-') return Status::Ok();
  reader_.MoveTo(start);
  return wrong(reader_);
}

Result<HttpDocument> DocumentReader::Read() {
  SeenKeys seen;
  std::string_view key;
  std::string decoded;
  PENSTOCK_RETURN_IF_ERROR(BeginObject("the request"));
  while (reader_.NextMember(&key, &decoded)) PENSTOCK_RETURN_IF_ERROR(ReadTopMember(key, &seen));
  if (!reader_.ok() || !reader_.ReadEnd()) return reader_.status();
  if (document_.request.inputs.empty()) {
    return FieldError(StatusCode::kRequestField, "inputs", seen.Has(kInputs) ? "an empty array" : "nothing", "an array of inputs");
  }
  PENSTOCK_RETURN_IF_ERROR(CheckUniqueNames(document_.request));
  return std::move(document_);
}

Status DocumentReader::ReadTopMember(std::string_view key, SeenKeys* seen) {
  if (key == "id") {
    PENSTOCK_RETURN_IF_ERROR(seen->Add(kId, key));
    PENSTOCK_RETURN_IF_ERROR(ReadText(key, &document_.request.id));
    return CheckId(document_.request.id, limits_);
  }
  if (key == "parameters") {
    PENSTOCK_RETURN_IF_ERROR(seen->Add(kParameters, key));
    return ReadRequestParameters();
  }
  if (key == "inputs") {
    PENSTOCK_RETURN_IF_ERROR(seen->Add(kInputs, key));
    return ReadTensors("inputs", [this](const FieldPath& path) { return ReadInput(path); });
  }
  if (key == "outputs") {
    PENSTOCK_RETURN_IF_ERROR(seen->Add(kOutputs, key));
    return ReadTensors("outputs", [this](const FieldPath& path) { return ReadOutput(path); });
  }
  return Skip();
}

template <typename ReadItem>
Status DocumentReader::ReadTensors(const FieldPath& path, ReadItem read_item) {
  if (reader_.Peek() != JsonKind::kArray) return WrongValue(reader_, StatusCode::kRequestField, path, "an array");
  if (!reader_.BeginArray()) return reader_.status();
  size_t count = 0;
  while (reader_.NextElement()) {
    const FieldPath item(path, count);
    PENSTOCK_RETURN_IF_ERROR(CheckTensorCount(++count, path, limits_));
    PENSTOCK_RETURN_IF_ERROR(read_item(item));
  }
  return reader_.status();
}

Status DocumentReader::ReadInput(const FieldPath& path) {
  InputState input;
  std::string_view key;
  std::string decoded;
  PENSTOCK_RETURN_IF_ERROR(BeginObject(path));
  while (reader_.NextMember(&key, &decoded)) PENSTOCK_RETURN_IF_ERROR(ReadInputMember(key, path, &input));
  if (!reader_.ok()) return reader_.status();
  PENSTOCK_RETURN_IF_ERROR(FinishInput(path, &input));
  document_.binary_sizes.push_back(input.binary_size);
  document_.request.inputs.push_back(std::move(input.tensor));
  return Status::Ok();
}

Status DocumentReader::ReadInputMember(std::string_view key, const FieldPath& path, InputState* input) {
  const FieldPath member(path, key);
  if (key == "name") {
    PENSTOCK_RETURN_IF_ERROR(input->seen.Add(kName, member));
    PENSTOCK_RETURN_IF_ERROR(ReadText(member, &input->tensor.name));
    return CheckName(input->tensor.name, member, limits_);
  }
  if (key == "datatype") {
    PENSTOCK_RETURN_IF_ERROR(input->seen.Add(kDatatype, member));
    std::string name;
    PENSTOCK_RETURN_IF_ERROR(ReadText(member, &name));
    const Result<DataType> dtype = ReadDataType(name, member);
    if (dtype.ok()) input->tensor.dtype = dtype.value();
    return dtype.status();
  }
  if (key == "shape") {
    PENSTOCK_RETURN_IF_ERROR(input->seen.Add(kShape, member));
    return ReadShape(member, input);
  }
  if (key == "data") {
    PENSTOCK_RETURN_IF_ERROR(input->seen.Add(kData, member));
    return ReadInputData(path, input);
  }
  if (key == "parameters") {
    PENSTOCK_RETURN_IF_ERROR(input->seen.Add(kTensorParameters, member));
    return ReadTensorParameters(path, [this, input](std::string_view name, const FieldPath& at) -> Result<bool> {
      if (name != "binary_data_size") return false;
      if (input->binary_size) return Status(StatusCode::kRequestField, at.Text() + ": appears twice");
      PENSTOCK_RETURN_IF_ERROR(ReadWhole(StatusCode::kRequestParameter, at, DataType::kUint64, &input->binary_size.emplace()));
      return true;
    });
  }
  return Skip();
}

Status DocumentReader::ReadShape(const FieldPath& path, InputState* input) {
  std::vector<int64_t>& shape = input->tensor.shape;
  if (reader_.Peek() != JsonKind::kArray) {
    return WrongValue(reader_, StatusCode::kRequestField, path, "an array of whole numbers");
  }
  if (!reader_.BeginArray()) return reader_.status();
  shape.reserve(kUsualDims);
  while (reader_.NextElement()) {
    if (shape.size() == limits_.max_dims) {
      const std::string limit = std::to_string(limits_.max_dims);
      return FieldError(StatusCode::kTensorShape, path, "more than " + limit + " dims", "at most " + limit);
    }
    const FieldPath dim(path, shape.size());
    PENSTOCK_RETURN_IF_ERROR(ReadWhole(StatusCode::kTensorShape, dim, DataType::kInt64, &shape.emplace_back()));
  }
  if (!reader_.ok()) return reader_.status();
  const Result<uint64_t> elements = CheckShape(shape, path, limits_);
  if (elements.ok()) input->elements = elements.value();
  return elements.status();
}

// Parses the array where it stands when shape and datatype are known by now, as they are in every client's key order; else marks it.
Status DocumentReader::ReadInputData(const FieldPath& path, InputState* input) {
  if (!input->seen.Has(kShape) || !input->seen.Has(kDatatype)) {
    input->data = reader_;
    return Skip();
  }
  return ReadTensor(&reader_, path, input);
}

Status DocumentReader::ReadTensor(JsonReader* reader, const FieldPath& path, InputState* input) {
  auto data = ReadJsonTensor(reader, input->tensor.dtype, input->elements, path, limits_);
  if (!data.ok()) return data.status();
  input->tensor.data = std::move(data).value();
  limits_.max_tensor_bytes -= input->tensor.data.size();
  return Status::Ok();
}

Status DocumentReader::FinishInput(const FieldPath& path, InputState* input) {
  if (!input->seen.Has(kName)) return Missing(FieldPath(path, "name"), "a string");
  if (!input->seen.Has(kShape)) return Missing(FieldPath(path, "shape"), "an array of whole numbers");
  if (!input->seen.Has(kDatatype)) return Missing(FieldPath(path, "datatype"), "a string");
  const bool has_data = input->seen.Has(kData);
  const char* const one = "one of data and parameters.binary_data_size";
  if (has_data && input->binary_size) return FieldError(StatusCode::kRequestField, path, "both", one);
  if (input->binary_size) return Status::Ok();
  input->tensor.data_is_checked = true;
  if (!has_data) return input->elements == 0 ? Status::Ok() : FieldError(StatusCode::kRequestField, path, "neither", one);
  if (!input->data) return Status::Ok();
  return ReadTensor(&*input->data, path, input);
}

Status DocumentReader::ReadOutput(const FieldPath& path) {
  RequestedOutput output;
  SeenKeys seen;
  std::string_view key;
  std::string decoded;
  PENSTOCK_RETURN_IF_ERROR(BeginObject(path));
  while (reader_.NextMember(&key, &decoded)) {
    const FieldPath member(path, key);
    if (key == "name") {
      PENSTOCK_RETURN_IF_ERROR(seen.Add(kName, member));
      PENSTOCK_RETURN_IF_ERROR(ReadText(member, &output.name));
      PENSTOCK_RETURN_IF_ERROR(CheckName(output.name, member, limits_));
    } else if (key == "parameters") {
      PENSTOCK_RETURN_IF_ERROR(seen.Add(kTensorParameters, member));
      PENSTOCK_RETURN_IF_ERROR(ReadOutputForm(path, &output));
    } else {
      PENSTOCK_RETURN_IF_ERROR(Skip());
    }
  }
  if (!reader_.ok()) return reader_.status();
  if (!seen.Has(kName)) return Missing(FieldPath(path, "name"), "a string");
  document_.request.outputs.push_back(std::move(output));
  return Status::Ok();
}

Status DocumentReader::ReadOutputForm(const FieldPath& path, RequestedOutput* output) {
  return ReadTensorParameters(path, [this, output](std::string_view name, const FieldPath& at) -> Result<bool> {
    if (name != "binary_data") return false;
    if (output->form != OutputForm::kDefault) return Status(StatusCode::kRequestField, at.Text() + ": appears twice");
    bool binary = false;
    PENSTOCK_RETURN_IF_ERROR(ReadFlag(StatusCode::kRequestParameter, at, &binary));
    output->form = binary ? OutputForm::kBinary : OutputForm::kJson;
    return true;
  });
}

template <typename ReadMember>
Status DocumentReader::ReadTensorParameters(const FieldPath& path, ReadMember read_member) {
  const FieldPath parent(path, "parameters");
  std::string_view name;
  std::string decoded;
  size_t count = 0;
  PENSTOCK_RETURN_IF_ERROR(BeginObject(parent));
  while (reader_.NextMember(&name, &decoded)) {
    PENSTOCK_RETURN_IF_ERROR(CheckParameterCount(++count, parent, limits_));
    PENSTOCK_RETURN_IF_ERROR(CheckTensorParameter(name, path));
    const Result<bool> read = read_member(name, FieldPath(parent, name));
    if (!read.ok()) return read.status();
    if (!read.value()) PENSTOCK_RETURN_IF_ERROR(Skip());
  }
  return reader_.status();
}

Status DocumentReader::ReadRequestParameters() {
  RequestParameters parameters(&document_.request, limits_);
  std::string_view name;
  std::string decoded;
  PENSTOCK_RETURN_IF_ERROR(BeginObject("parameters"));
  while (reader_.NextMember(&name, &decoded)) {
    RequestParameters::Value value;
    PENSTOCK_RETURN_IF_ERROR(ReadParameterValue(name, &value));
    PENSTOCK_RETURN_IF_ERROR(parameters.Add(std::string(name), std::move(value)));
  }
  if (!reader_.ok()) return reader_.status();
  return parameters.Finish();
}

Status DocumentReader::ReadParameterValue(std::string_view name, RequestParameters::Value* value) {
  const JsonReader bookmark = reader_;
  const FieldPath parameters("parameters");
  const auto wrong = [&](const char* expected) {
    return WrongValue(bookmark, StatusCode::kRequestParameter, FieldPath(parameters, name), expected);
  };
  switch (reader_.Peek()) {
    case JsonKind::kString:
      return reader_.ReadString(&value->emplace<std::string>()) ? Status::Ok() : reader_.status();
    case JsonKind::kBool:
      return reader_.ReadBool(&value->emplace<bool>()) ? Status::Ok() : reader_.status();
    case JsonKind::kNumber:
      break;
    default:
      return wrong("a string, a number, true or false");
  }
  std::string_view text;
  if (!reader_.ReadNumber(&text)) return reader_.status();
  const auto read_as = [&text](DataType dtype, auto* number) {
    const char* why = "";
    return ParseNumber(text.data(), text.data() + text.size(), dtype, reinterpret_cast<uint8_t*>(number), &why) != nullptr;
  };
  if (read_as(DataType::kInt64, &value->emplace<int64_t>())) return Status::Ok();
  if (read_as(DataType::kUint64, &value->emplace<uint64_t>())) return Status::Ok();
  const bool is_whole = text.find_first_of(".eE") == std::string_view::npos;
  if (!is_whole && read_as(DataType::kFp64, &value->emplace<double>())) return Status::Ok();
  return wrong("a number that 64 bits can hold");
}

}  // namespace

Result<HttpDocument> ReadHttpDocument(std::string_view json, const CodecLimits& limits) { return DocumentReader(json, limits).Read(); }

}  // namespace penstock::codec
