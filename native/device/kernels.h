// Our kernels on one GPU. A build without nvcc has none, and a driver may refuse them: then the same work is done on the CPU.
#pragma once

#include <array>
#include <cstdint>
#include <memory>

#include "base/status.h"
#include "device/convert_input.h"
#include "device/gather_rows.h"
#include "device/stream.h"

namespace penstock::device {

// A conversion whose tables lie on the device. Immutable; any stream of that GPU may use it, and many at once.
class PreparedConversion {
 public:
  // Of one element before the conversion, in bytes.
  size_t element_size() const { return DataTypeSize(from_); }

 private:
  friend class Kernels;
  DataType from_ = DataType::kInvalid;
  uint32_t channels_ = 0;
  uint32_t inner_ = 0;
  DeviceBuffer tables_;  // the scales, then the offsets
};

// Thread-safe and immutable; one a GPU is enough. Launches are asynchronous: memory must live until the stream has been synchronised.
class Kernels {
 public:
  // [may block: the driver may have to compile] Loads the embedded image. kGpuUnavailable without one, or when the driver refuses it (a
  // normal state: "no GPU kernels in this build", "cuModuleLoadData: ..."); kGpuFault, kGpuLost and kGpuMemory as they come.
  static Result<std::shared_ptr<const Kernels>> Load(std::shared_ptr<const Gpu> gpu);
  // As Load, with an image of the caller's; null = none.
  static Result<std::shared_ptr<const Kernels>> LoadImage(std::shared_ptr<const Gpu> gpu, const void* image);
  ~Kernels();
  Kernels(const Kernels&) = delete;
  Kernels& operator=(const Kernels&) = delete;

  // [blocks until the tables are there] Once per conversion, so that runs allocate nothing. kModelConfig as CheckConversion says,
  // kGpuMemory.
  Result<PreparedConversion> Prepare(Stream* stream, const InputConversion& conversion) const;

  // Elements [0, elements) of `from`, which begins at a channel 0 and is aligned for its type, to floats at `to`. The bits are those of
  // ConvertInput on the CPU.
  Status ConvertInput(Stream* stream, const PreparedConversion& conversion, DevicePointer from, size_t elements, DevicePointer to) const;

  // The rows of the table at `table`, `rows` of them, one behind the other at `to`, as they are: the bytes of GatherRows on the CPU. Errors
  // also: those of CheckPlaces.
  Status GatherRows(Stream* stream, DevicePointer table, uint64_t rows, const RowPlaces& places, DevicePointer to) const;
  // The same converted, filling included: the first place begins at a channel 0, and the bits are those of ConvertInput for what the other
  // one would write. places.element_size is the conversion's.
  Status GatherRows(Stream* stream, const PreparedConversion& conversion, DevicePointer table, uint64_t rows, const RowPlaces& places,
                    DevicePointer to) const;

  // Writes `words` words of the pattern `seed` (kernels/probe_pattern.h).
  Status Fill(Stream* stream, DevicePointer at, uint64_t words, uint32_t seed) const;
  // Adds the number of words that differ from the pattern to the uint64_t at `count`.
  Status CountMismatches(Stream* stream, DevicePointer at, uint64_t words, uint32_t seed, DevicePointer count) const;

 private:
  explicit Kernels(std::shared_ptr<const Gpu> gpu) : gpu_(std::move(gpu)) {}
  Status Find(const char* name, CudaFunction* function);
  Status Launch(Stream* stream, CudaFunction function, uint64_t threads, void** parameters) const;

  const std::shared_ptr<const Gpu> gpu_;
  CudaModule module_ = nullptr;
  CudaFunction fill_ = nullptr;
  CudaFunction count_mismatches_ = nullptr;
  CudaFunction convert_uint8_ = nullptr;
  CudaFunction convert_fp16_ = nullptr;
  CudaFunction convert_fp32_ = nullptr;
  std::array<CudaFunction, 4> gather_{};  // of 1, 2, 4 and 8 bytes
  CudaFunction gather_uint8_ = nullptr;
  CudaFunction gather_fp16_ = nullptr;
  CudaFunction gather_fp32_ = nullptr;
};

}  // namespace penstock::device
