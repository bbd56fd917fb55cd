// Compile-time proof that ort_api.h agrees with the official header: same slot, same signature, same enum values.
#include <onnxruntime_c_api.h>

#include <cstddef>
#include <type_traits>

#include "session/ort_api.h"

namespace penstock::session {
namespace {

// Enums count as int, at any depth of pointers.
template <typename T, typename = void>
struct Plain {
  using type = T;
};
template <typename T>
struct Plain<T, std::enable_if_t<std::is_enum_v<T>>> {
  static_assert(sizeof(T) == sizeof(int));
  using type = int;
};
template <typename T>
struct Plain<T*> {
  using type = typename Plain<T>::type*;
};
template <typename T>
struct Plain<T* const> {
  using type = typename Plain<T>::type* const;
};

// A function pointer's type without noexcept, which the official header adds and ours cannot need.
template <typename T>
struct PlainFunction;
template <typename R, typename... P>
struct PlainFunction<R (*)(P...)> {
  using type = typename Plain<R>::type (*)(typename Plain<P>::type...);
};
template <typename R, typename... P>
struct PlainFunction<R (*)(P...) noexcept> : PlainFunction<R (*)(P...)> {};

template <typename Ours, typename Official>
constexpr bool kSameFunction = std::is_same_v<typename PlainFunction<Ours>::type, typename PlainFunction<Official>::type>;

#define PENSTOCK_ORT_CHECK(slot, name, result, parameters)                                       \
  static_assert(offsetof(::OrtApi, name) == slot * sizeof(void*), "slot of " #name);             \
  static_assert(kSameFunction<decltype(OrtFunctions::name), decltype(::OrtApi::name)>, "signature of " #name);
PENSTOCK_ORT_FUNCTIONS(PENSTOCK_ORT_CHECK)
#undef PENSTOCK_ORT_CHECK

static_assert(kOrtApiVersion <= ORT_API_VERSION);
static_assert(offsetof(::OrtApiBase, GetApi) == offsetof(OrtEntry, GetApi));
static_assert(offsetof(::OrtApiBase, GetVersionString) == offsetof(OrtEntry, GetVersionString));
static_assert(kSameFunction<decltype(OrtEntry::GetVersionString), decltype(::OrtApiBase::GetVersionString)>);

static_assert(kOrtFloat == static_cast<int>(ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT));
static_assert(kOrtUint8 == static_cast<int>(ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT8));
static_assert(kOrtInt8 == static_cast<int>(ONNX_TENSOR_ELEMENT_DATA_TYPE_INT8));
static_assert(kOrtUint16 == static_cast<int>(ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT16));
static_assert(kOrtInt16 == static_cast<int>(ONNX_TENSOR_ELEMENT_DATA_TYPE_INT16));
static_assert(kOrtInt32 == static_cast<int>(ONNX_TENSOR_ELEMENT_DATA_TYPE_INT32));
static_assert(kOrtInt64 == static_cast<int>(ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64));
static_assert(kOrtString == static_cast<int>(ONNX_TENSOR_ELEMENT_DATA_TYPE_STRING));
static_assert(kOrtBool == static_cast<int>(ONNX_TENSOR_ELEMENT_DATA_TYPE_BOOL));
static_assert(kOrtFloat16 == static_cast<int>(ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT16));
static_assert(kOrtDouble == static_cast<int>(ONNX_TENSOR_ELEMENT_DATA_TYPE_DOUBLE));
static_assert(kOrtUint32 == static_cast<int>(ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT32));
static_assert(kOrtUint64 == static_cast<int>(ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT64));
static_assert(kOrtBfloat16 == static_cast<int>(ONNX_TENSOR_ELEMENT_DATA_TYPE_BFLOAT16));
static_assert(kOrtTypeTensor == static_cast<int>(ONNX_TYPE_TENSOR));
static_assert(kOrtDeviceAllocator == static_cast<int>(OrtDeviceAllocator));
static_assert(kOrtMemTypeDefault == static_cast<int>(OrtMemTypeDefault));
static_assert(kOrtLogFatal == static_cast<int>(ORT_LOGGING_LEVEL_FATAL));

}  // namespace
}  // namespace penstock::session
