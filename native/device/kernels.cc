#include "device/kernels.h"

#include <algorithm>
#include <utility>

#include "base/checked_math.h"
#include "device/kernel_image.h"

namespace penstock::device {

namespace {

constexpr unsigned kBlockThreads = 256;
// Enough to fill the largest GPUs several times over; the kernels stride over what is left.
constexpr uint64_t kGridMax = 4096;

// Of a row, by each thread at a time: the widest load there is.
constexpr uint64_t kGatherBytes = 16;

// Threads that a gather keeps busy. The places have passed CheckPlaces.
uint64_t GatherThreads(const RowPlaces& places, uint64_t rows) {
  const uint64_t step = kGatherBytes / places.element_size;
  return (places.elements / step + (places.elements % step != 0 ? 1 : 0)) * rows;
}

// A refusal of the image is no failure of the GPU, whatever the driver calls it.
Status Refused(const Gpu& gpu, const Status& status) {
  const bool passes = status.code() == StatusCode::kGpuMemory || gpu.fatal().kind != FaultKind::kNone;
  return passes ? status : Status(StatusCode::kGpuUnavailable, status.message());
}

}  // namespace

Result<std::shared_ptr<const Kernels>> Kernels::Load(std::shared_ptr<const Gpu> gpu) {
  return LoadImage(std::move(gpu), EmbeddedKernels());
}

Result<std::shared_ptr<const Kernels>> Kernels::LoadImage(std::shared_ptr<const Gpu> gpu, const void* image) {
  if (image == nullptr) return Status(StatusCode::kGpuUnavailable, "no GPU kernels in this build");
  PENSTOCK_RETURN_IF_ERROR(gpu->Enter());
  std::shared_ptr<Kernels> kernels(new Kernels(gpu));
  const Status loaded = gpu->Check("cuModuleLoadData", gpu->driver().cuda().cuModuleLoadData(&kernels->module_, image));
  if (!loaded.ok()) return Refused(*gpu, loaded);
  const std::pair<const char*, CudaFunction*> functions[] = {
      {"penstock_fill", &kernels->fill_},
      {"penstock_count_mismatches", &kernels->count_mismatches_},
      {"penstock_convert_uint8", &kernels->convert_uint8_},
      {"penstock_convert_fp16", &kernels->convert_fp16_},
      {"penstock_convert_fp32", &kernels->convert_fp32_},
      {"penstock_gather_1", &kernels->gather_[0]},
      {"penstock_gather_2", &kernels->gather_[1]},
      {"penstock_gather_4", &kernels->gather_[2]},
      {"penstock_gather_8", &kernels->gather_[3]},
      {"penstock_gather_uint8", &kernels->gather_uint8_},
      {"penstock_gather_fp16", &kernels->gather_fp16_},
      {"penstock_gather_fp32", &kernels->gather_fp32_},
  };
  for (const auto& [name, function] : functions) {
    const Status found = kernels->Find(name, function);
    if (!found.ok()) return Refused(*gpu, found);
  }
  return std::shared_ptr<const Kernels>(std::move(kernels));
}

Kernels::~Kernels() {
  // What a dead context holds goes with the process.
  if (module_ == nullptr || gpu_->fatal().kind != FaultKind::kNone || !gpu_->Enter().ok()) return;
  (void)gpu_->Check("cuModuleUnload", gpu_->driver().cuda().cuModuleUnload(module_));
}

Status Kernels::Find(const char* name, CudaFunction* function) {
  return gpu_->Check("cuModuleGetFunction", gpu_->driver().cuda().cuModuleGetFunction(function, module_, name));
}

Status Kernels::Launch(Stream* stream, CudaFunction function, uint64_t threads, void** parameters) const {
  if (threads == 0) return Status::Ok();
  PENSTOCK_RETURN_IF_ERROR(gpu_->Enter());
  const unsigned grid = static_cast<unsigned>(std::min<uint64_t>((threads - 1) / kBlockThreads + 1, kGridMax));
  return gpu_->Check("cuLaunchKernel", gpu_->driver().cuda().cuLaunchKernel(function, grid, 1, 1, kBlockThreads, 1, 1, 0, stream->handle(),
                                                                            parameters, nullptr));
}

Result<PreparedConversion> Kernels::Prepare(Stream* stream, const InputConversion& conversion) const {
  PENSTOCK_RETURN_IF_ERROR(CheckConversion(conversion));
  PreparedConversion prepared;
  prepared.from_ = conversion.from;
  prepared.channels_ = static_cast<uint32_t>(conversion.scale.size());
  prepared.inner_ = static_cast<uint32_t>(conversion.inner);
  const size_t table_bytes = conversion.scale.size() * sizeof(float);  // checked: there are vectors of this size
  Result<DeviceBuffer> tables = DeviceBuffer::Allocate(gpu_, 2 * table_bytes);
  if (!tables.ok()) return tables.status();
  prepared.tables_ = std::move(tables).value();
  PENSTOCK_RETURN_IF_ERROR(stream->CopyIn(prepared.tables_.data(), conversion.scale.data(), table_bytes));
  PENSTOCK_RETURN_IF_ERROR(stream->CopyIn(prepared.tables_.data() + table_bytes, conversion.offset.data(), table_bytes));
  PENSTOCK_RETURN_IF_ERROR(stream->Synchronize());
  return Result<PreparedConversion>(std::move(prepared));
}

Status Kernels::ConvertInput(Stream* stream, const PreparedConversion& conversion, DevicePointer from, size_t elements,
                             DevicePointer to) const {
  CudaFunction function = convert_fp32_;
  if (conversion.from_ == DataType::kUint8) function = convert_uint8_;
  if (conversion.from_ == DataType::kFp16) function = convert_fp16_;
  DevicePointer scale = conversion.tables_.data();
  DevicePointer offset = scale + conversion.tables_.size() / 2;
  uint32_t channels = conversion.channels_;
  uint32_t inner = conversion.inner_;
  uint64_t count = elements;
  void* parameters[] = {&from, &scale, &offset, &channels, &inner, &count, &to};
  return Launch(stream, function, count, parameters);
}

Status Kernels::GatherRows(Stream* stream, DevicePointer table, uint64_t rows, const RowPlaces& places, DevicePointer to) const {
  PENSTOCK_RETURN_IF_ERROR(CheckPlaces(places, rows));
  uint64_t elements = places.elements;
  uint64_t fill = places.fill;
  void* parameters[] = {&table, &rows, &elements, &fill, &to};
  return Launch(stream, gather_[static_cast<size_t>(__builtin_ctzll(places.element_size))], GatherThreads(places, rows), parameters);
}

Status Kernels::GatherRows(Stream* stream, const PreparedConversion& conversion, DevicePointer table, uint64_t rows,
                           const RowPlaces& places, DevicePointer to) const {
  PENSTOCK_RETURN_IF_ERROR(CheckPlaces(places, rows));
  CudaFunction function = gather_fp32_;
  if (conversion.from_ == DataType::kUint8) function = gather_uint8_;
  if (conversion.from_ == DataType::kFp16) function = gather_fp16_;
  DevicePointer scale = conversion.tables_.data();
  DevicePointer offset = scale + conversion.tables_.size() / 2;
  uint32_t channels = conversion.channels_;
  uint32_t inner = conversion.inner_;
  uint64_t elements = places.elements;
  uint64_t fill = places.fill;
  void* parameters[] = {&table, &rows, &elements, &fill, &scale, &offset, &channels, &inner, &to};
  return Launch(stream, function, GatherThreads(places, rows), parameters);
}

Status Kernels::Fill(Stream* stream, DevicePointer at, uint64_t words, uint32_t seed) const {
  void* parameters[] = {&at, &words, &seed};
  return Launch(stream, fill_, words, parameters);
}

Status Kernels::CountMismatches(Stream* stream, DevicePointer at, uint64_t words, uint32_t seed, DevicePointer count) const {
  void* parameters[] = {&at, &words, &seed, &count};
  return Launch(stream, count_mismatches_, words, parameters);
}

}  // namespace penstock::device
