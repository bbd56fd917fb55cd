// Where the inputs of one lane's runs are for its GPU: buffers on the device, which grow as runs need.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <vector>

#include "base/status.h"
#include "device/gather_rows.h"
#include "device/gpu.h"
#include "device/kernels.h"
#include "device/stream.h"
#include "memory/slice.h"
#include "session/cuda_model.h"
#include "session/ort_handle.h"
#include "session/session.h"

namespace penstock::session {

// What a GPU does with inputs itself, with kernels of ours: it converts them, and gathers rows that lie apart.
struct CudaConversions {
  std::shared_ptr<const device::Kernels> kernels;
  std::vector<std::optional<device::PreparedConversion>> by_input;  // one a signature input; none where it goes in as it comes
};

// All on the lane's thread, with the context current.
class CudaInputs {
 public:
  // `conversions` may be null. Creates nothing on the device yet.
  CudaInputs(std::shared_ptr<const CudaModel> model, std::shared_ptr<const CudaConversions> conversions);

  // A run begins: copies its inputs to the device, or has it read rows that lie apart, converts them there, and has waited for all of it
  // when it returns, whatever it returns. BYTES and empty tensors stay on the CPU, and so does one for which the driver has no memory: ONNX
  // Runtime's arena may have some to spare. Errors: kGpuMemory, kGpuFault, kGpuLost.
  Status Copy(const std::vector<Tensor>& inputs, device::Stream* stream);
  // The same into buffers of others, one a signature input, that are large enough. None stays on the CPU for lack of memory.
  Status CopyInto(std::vector<device::DeviceBuffer>* buffers, const std::vector<Tensor>& inputs, device::Stream* stream);

  // What ONNX Runtime is to read of an input behind Copy(); good until Finish(). Errors: kMemory, and those of CheckBinding.
  Result<OrtHandle<OrtValue>> Value(size_t index, const Tensor& tensor);
  // Whether one has stayed on the CPU for lack of memory.
  bool lacked_memory() const;
  // The run has ended.
  void Finish() { joined_.clear(); }

 private:
  // Null where it goes in as it comes.
  const device::PreparedConversion* ConversionOf(size_t index) const;
  Status CopyTo(std::vector<device::DeviceBuffer>* buffers, bool may_stay, const std::vector<Tensor>& inputs, device::Stream* stream);
  // Puts the tables of all rows that lie apart on the device.
  Status CopyRowTables(const std::vector<Tensor>& inputs, bool may_stay, device::Stream* stream);
  Status CopyOne(size_t index, const Tensor& tensor, bool may_stay, device::Stream* stream, device::DeviceBuffer* buffer);
  Result<OrtHandle<OrtValue>> BorrowFromDevice(size_t index, const Tensor& tensor) const;
  Result<OrtHandle<OrtValue>> BorrowOnCpu(size_t index, const Tensor& tensor);

  const std::shared_ptr<const CudaModel> model_;
  const std::shared_ptr<const CudaConversions> conversions_;
  std::vector<device::DeviceBuffer> buffers_;      // one a signature input, and so are all others that are not of rows
  std::vector<device::DeviceBuffer> raw_buffers_;  // as clients send it, where it is converted
  std::vector<bool> lacks_buffer_;                 // of this run
  std::vector<size_t> first_row_;                  // in rows_
  std::vector<device::GatherRow> rows_;            // of all inputs of this run whose rows lie apart, in order
  device::DeviceBuffer row_buffer_;                // rows_ on the device
  std::vector<memory::Slice> joined_;              // of this run: rows that lay apart, for ONNX Runtime
};

}  // namespace penstock::session
