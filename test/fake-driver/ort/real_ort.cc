#include "real_ort.h"

#include <dlfcn.h>

#include <cstdlib>
#include <cstring>

#include "base/checked_math.h"
#include "base/data_type.h"
#include "gpu_memory.h"
#include "session/ort_tensor.h"

namespace penstock::fake_ort {

constexpr size_t kCreateStatus = 0;  // slot

const Real& TheReal() {
  static const Real& real = *[] {
    const char* path = std::getenv("FAKE_ORT_LIBRARY");
    void* const library = dlopen(path != nullptr ? path : FAKE_ORT_DEFAULT_LIBRARY, RTLD_NOW | RTLD_LOCAL);
    void* const entry = library != nullptr ? dlsym(library, "OrtGetApiBase") : nullptr;
    if (entry == nullptr) Die(dlerror());
    auto* made = new Real;
    made->entry = reinterpret_cast<const OrtEntry* (*)()>(entry)();
    const void* const table = made->entry->GetApi(session::kOrtApiVersion);
    if (table == nullptr) Die("the real library is too old");
    made->ort = OrtFunctions::Bind(table);
    std::memcpy(made->table, table, sizeof made->table);
    std::memcpy(&made->create_status, &made->table[kCreateStatus], sizeof made->create_status);
    return made;
  }();
  return real;
}

OrtStatus* Failure(const std::string& text, int code) { return TheReal().create_status(code, text.c_str()); }

OrtStatus* NoRoom(uint64_t bytes) { return Failure("Failed to allocate memory for requested buffer of size " + std::to_string(bytes)); }

OrtStatus* ShapeOf(const OrtValue* value, Shape* shape) {
  const OrtFunctions& ort = TheReal().ort;
  OrtTensorTypeAndShapeInfo* info = nullptr;
  if (OrtStatus* status = ort.GetTensorTypeAndShape(value, &info); status != nullptr) return status;
  size_t rank = 0;
  ort.GetTensorElementType(info, &shape->element_type);
  ort.GetDimensionsCount(info, &rank);
  shape->dims.resize(rank);
  ort.GetDimensions(info, shape->dims.data(), rank);
  ort.ReleaseTensorTypeAndShapeInfo(info);
  shape->bytes = DataTypeSize(session::DataTypeOf(shape->element_type));
  for (const int64_t dim : shape->dims) {
    if (!CheckedMul(shape->bytes, static_cast<uint64_t>(dim), &shape->bytes)) return Failure("too large");
  }
  return nullptr;
}

OrtStatus* RealOutputs(const OrtIoBinding* binding, std::vector<OrtValue*>* values) {
  const OrtFunctions& ort = TheReal().ort;
  OrtAllocator* allocator = nullptr;
  if (OrtStatus* status = ort.GetAllocatorWithDefaultOptions(&allocator); status != nullptr) return status;
  OrtValue** raw = nullptr;
  size_t count = 0;
  if (OrtStatus* status = ort.GetBoundOutputValues(binding, allocator, &raw, &count); status != nullptr) return status;
  values->assign(raw, raw + count);
  return raw != nullptr ? ort.AllocatorFree(allocator, raw) : nullptr;
}

}  // namespace penstock::fake_ort
