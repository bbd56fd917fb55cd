// Tensors of ours to values of ONNX Runtime and back.
#pragma once

#include <vector>

#include "base/data_type.h"
#include "base/status.h"
#include "session/ort_handle.h"
#include "session/ort_runtime.h"
#include "session/session.h"

namespace penstock::session {

// ONNX element type number of a protocol type; 0 for kInvalid.
int ElementTypeOf(DataType type);

// kInvalid for an element type that the V2 protocol cannot carry (complex, 8 bits of float, packed 2 or 4 bits).
DataType DataTypeOf(int element_type);

// Name of an element type in the ONNX specification ("complex64"), also of those that the protocol lacks; for messages.
const char* ElementTypeName(int element_type);

// The value borrows the bytes of `tensor`, which must outlive it; BYTES elements are copied.
// Errors: kModelRun when the bytes do not fit dtype and dims.
Result<OrtHandle<OrtValue>> BorrowAsOrtValue(const OrtRuntime& runtime, const Tensor& tensor);

// Reads what `value` is: dtype and dims of `tensor`, and how many elements and bytes (0 for BYTES) it has.
// Errors: kModelRun for a type that the protocol lacks.
Status DescribeOrtValue(const OrtRuntime& runtime, const OrtValue* value, Tensor* tensor, uint64_t* count, uint64_t* bytes);

// The tensor owns `value` and shows its bytes where they lie. Copied into a block of memory::BlockPool::Process() are BYTES elements, which
// get their framing, and an output that is one of the run's `inputs` handed through, whose bytes are not the value's.
// Errors: kMemory, kModelRun for a type that the protocol lacks.
Result<Tensor> TensorFromOrtValue(const OrtRuntime& runtime, OrtHandle<OrtValue> value, const std::vector<Tensor>& inputs);

}  // namespace penstock::session
