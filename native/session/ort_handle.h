// Ownership of ONNX Runtime's objects.
#pragma once

#include <memory>

namespace penstock::session {

// Released by the function of the API that it is made with, e.g. OrtHandle<OrtValue>(raw, ort.ReleaseValue).
template <typename T>
using OrtHandle = std::unique_ptr<T, void (*)(T*)>;

}  // namespace penstock::session
