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

Status Kernels::Fill(Stream* stream, DevicePointer at, uint64_t words, uint32_t seed) const {
  void* parameters[] = {&at, &words, &seed};
  return Launch(stream, fill_, words, parameters);
}

Status Kernels::CountMismatches(Stream* stream, DevicePointer at, uint64_t words, uint32_t seed, DevicePointer count) const {
  void* parameters[] = {&at, &words, &seed, &count};
  return Launch(stream, count_mismatches_, words, parameters);
}

}  // namespace penstock::device
