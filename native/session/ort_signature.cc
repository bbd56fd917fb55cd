#include "session/ort_signature.h"

#include <algorithm>
#include <array>
#include <utility>

#include "session/ort_handle.h"
#include "session/ort_status.h"
#include "session/ort_tensor.h"

namespace penstock::session {
namespace {

class Reader {
 public:
  Reader(const OrtRuntime& runtime, const OrtSession* session) : runtime_(runtime), ort_(runtime.functions), session_(session) {}

  Result<Signature> Read() {
    Signature signature;
    PENSTOCK_RETURN_IF_ERROR(ReadTensors("input", false, ort_.SessionGetInputCount, ort_.SessionGetInputName,
                                         ort_.SessionGetInputTypeInfo, &signature.inputs));
    // Initializers that are graph inputs as well.
    PENSTOCK_RETURN_IF_ERROR(ReadTensors("input", true, ort_.SessionGetOverridableInitializerCount,
                                         ort_.SessionGetOverridableInitializerName, ort_.SessionGetOverridableInitializerTypeInfo,
                                         &signature.inputs));
    PENSTOCK_RETURN_IF_ERROR(ReadTensors("output", false, ort_.SessionGetOutputCount, ort_.SessionGetOutputName,
                                         ort_.SessionGetOutputTypeInfo, &signature.outputs));
    PENSTOCK_RETURN_IF_ERROR(ReadMetadata(&signature.metadata));
    return signature;
  }

 private:
  Status Check(OrtStatus* status) const {
    return TakeOrtStatus(ort_, status, StatusCode::kModelLoad, "cannot read what the model declares: ");
  }

  // Takes a text that the library allocated for the caller; null counts as empty.
  std::string TakeText(char* text) const {
    if (text == nullptr) return {};
    std::string result = text;
    Free(text);
    return result;
  }

  void Free(void* memory) const {
    if (OrtStatus* status = ort_.AllocatorFree(runtime_.allocator, memory); status != nullptr) ort_.ReleaseStatus(status);
  }

  // Optional ones of a type that the protocol lacks are left out: their values stay those of the file.
  Status ReadTensors(const char* kind, bool optional, decltype(OrtFunctions::SessionGetInputCount) get_count,
                     decltype(OrtFunctions::SessionGetInputName) get_name, decltype(OrtFunctions::SessionGetInputTypeInfo) get_type,
                     std::vector<TensorSpec>* specs) const {
    size_t count = 0;
    PENSTOCK_RETURN_IF_ERROR(Check(get_count(session_, &count)));
    for (size_t i = 0; i < count; ++i) {
      TensorSpec spec;
      char* name = nullptr;
      PENSTOCK_RETURN_IF_ERROR(Check(get_name(session_, i, runtime_.allocator, &name)));
      spec.name = TakeText(name);
      OrtTypeInfo* raw_type = nullptr;
      PENSTOCK_RETURN_IF_ERROR(Check(get_type(session_, i, &raw_type)));
      const OrtHandle<OrtTypeInfo> type(raw_type, ort_.ReleaseTypeInfo);
      const Status read = ReadType(kind, raw_type, &spec);
      if (!read.ok() && optional) continue;
      PENSTOCK_RETURN_IF_ERROR(read);
      spec.optional = optional;
      specs->push_back(std::move(spec));
    }
    return Status::Ok();
  }

  Status ReadType(const char* kind, const OrtTypeInfo* type, TensorSpec* spec) const {
    const auto refuse = [&](const std::string& found) {
      return Status(StatusCode::kModelLoad,
                    std::string(kind) + " '" + spec->name + "' is " + found + ", expected a tensor of a type that the V2 protocol has");
    };
    int onnx_type = 0;
    PENSTOCK_RETURN_IF_ERROR(Check(ort_.GetOnnxTypeFromTypeInfo(type, &onnx_type)));
    if (onnx_type != kOrtTypeTensor) {
      // Indexed by ONNXType.
      constexpr std::array<const char*, 7> kNames = {"of unknown type", "a tensor", "a sequence", "a map",
                                                     "an opaque value", "a sparse tensor", "an optional value"};
      return refuse(kNames[static_cast<size_t>(onnx_type) < kNames.size() ? static_cast<size_t>(onnx_type) : 0]);
    }
    const OrtTensorTypeAndShapeInfo* info = nullptr;  // lives as long as `type`
    PENSTOCK_RETURN_IF_ERROR(Check(ort_.CastTypeInfoToTensorInfo(type, &info)));
    int element_type = 0;
    PENSTOCK_RETURN_IF_ERROR(Check(ort_.GetTensorElementType(info, &element_type)));
    spec->dtype = DataTypeOf(element_type);
    if (spec->dtype == DataType::kInvalid) return refuse(std::string("a tensor of ") + ElementTypeName(element_type));

    size_t rank = 0;
    PENSTOCK_RETURN_IF_ERROR(Check(ort_.GetDimensionsCount(info, &rank)));
    spec->dims.resize(rank);
    PENSTOCK_RETURN_IF_ERROR(Check(ort_.GetDimensions(info, spec->dims.data(), rank)));
    std::vector<const char*> names(rank, nullptr);
    PENSTOCK_RETURN_IF_ERROR(Check(ort_.GetSymbolicDimensions(info, names.data(), rank)));
    for (size_t i = 0; i < rank; ++i) {
      spec->dims[i] = std::max<int64_t>(spec->dims[i], -1);
      spec->symbolic_dims.emplace_back(spec->dims[i] < 0 && names[i] != nullptr ? names[i] : "");
    }
    return Status::Ok();
  }

  // What the file leaves empty is left out; a custom key does not replace a field of the same name.
  Status ReadMetadata(std::map<std::string, std::string>* metadata) const {
    OrtModelMetadata* raw = nullptr;
    PENSTOCK_RETURN_IF_ERROR(Check(ort_.SessionGetModelMetadata(session_, &raw)));
    const OrtHandle<OrtModelMetadata> model(raw, ort_.ReleaseModelMetadata);

    const std::pair<const char*, decltype(OrtFunctions::ModelMetadataGetDomain)> texts[] = {
        {"producer_name", ort_.ModelMetadataGetProducerName},
        {"graph_name", ort_.ModelMetadataGetGraphName},
        {"domain", ort_.ModelMetadataGetDomain},
        {"description", ort_.ModelMetadataGetDescription},
    };
    for (const auto& [key, get] : texts) {
      char* text = nullptr;
      PENSTOCK_RETURN_IF_ERROR(Check(get(raw, runtime_.allocator, &text)));
      if (std::string value = TakeText(text); !value.empty()) metadata->emplace(key, std::move(value));
    }
    int64_t version = 0;
    PENSTOCK_RETURN_IF_ERROR(Check(ort_.ModelMetadataGetVersion(raw, &version)));
    if (version != 0) metadata->emplace("version", std::to_string(version));

    char** raw_keys = nullptr;
    int64_t count = 0;
    PENSTOCK_RETURN_IF_ERROR(Check(ort_.ModelMetadataGetCustomMetadataMapKeys(raw, runtime_.allocator, &raw_keys, &count)));
    std::vector<std::string> keys;
    for (int64_t i = 0; i < count; ++i) keys.push_back(TakeText(raw_keys[i]));
    if (raw_keys != nullptr) Free(raw_keys);
    for (const std::string& key : keys) {
      char* text = nullptr;
      PENSTOCK_RETURN_IF_ERROR(Check(ort_.ModelMetadataLookupCustomMetadataMap(raw, runtime_.allocator, key.c_str(), &text)));
      metadata->emplace(key, TakeText(text));
    }
    return Status::Ok();
  }

  const OrtRuntime& runtime_;
  const OrtFunctions& ort_;
  const OrtSession* session_;
};

}  // namespace

Result<Signature> ReadSignature(const OrtRuntime& runtime, const OrtSession* session) { return Reader(runtime, session).Read(); }

}  // namespace penstock::session
