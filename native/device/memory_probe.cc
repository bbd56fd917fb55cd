#include "device/memory_probe.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "device/kernels/probe_pattern.h"

namespace penstock::device {

namespace {

constexpr uint64_t kChunkWords = 1u << 18;  // of a comparison on the host: 1 MiB

}  // namespace

struct MemoryProbe::State {
  std::shared_ptr<const Gpu> gpu;
  std::shared_ptr<const Kernels> kernels;  // null: compare on the host
  std::unique_ptr<Stream> stream;
  DeviceBuffer scratch;
  DeviceBuffer device_count;  // one uint64_t
  // Targets of copies, which may still run after a failure: they live as long as the stream.
  uint64_t host_count = 0;
  std::vector<uint32_t> chunk;
  uint64_t words = 0;
  uint32_t seed = 0;

  // Both leave the number of words that differ in *mismatches.
  Status ExamineOnDevice(uint64_t* mismatches);
  Status ExamineOnHost(uint64_t* mismatches);

 private:
  // Calls `each(first word, count)` for every chunk of the region, in order.
  template <typename Each>
  Status ForEachChunk(Each each) {
    for (uint64_t first = 0; first < words; first += kChunkWords) {
      PENSTOCK_RETURN_IF_ERROR(each(first, std::min(kChunkWords, words - first)));
    }
    return Status::Ok();
  }
};

Status MemoryProbe::State::ExamineOnDevice(uint64_t* mismatches) {
  PENSTOCK_RETURN_IF_ERROR(stream->Clear(device_count.data(), sizeof host_count));
  PENSTOCK_RETURN_IF_ERROR(kernels->Fill(stream.get(), scratch.data(), words, seed));
  PENSTOCK_RETURN_IF_ERROR(kernels->CountMismatches(stream.get(), scratch.data(), words, seed, device_count.data()));
  PENSTOCK_RETURN_IF_ERROR(stream->CopyOut(&host_count, device_count.data(), sizeof host_count));
  PENSTOCK_RETURN_IF_ERROR(stream->Synchronize());
  *mismatches = std::min(host_count, words);  // the count itself may have come back changed
  return Status::Ok();
}

Status MemoryProbe::State::ExamineOnHost(uint64_t* mismatches) {
  chunk.resize(static_cast<size_t>(std::min(kChunkWords, words)));
  // The whole region is written before any of it is read: what is read comes from memory, not from a cache.
  PENSTOCK_RETURN_IF_ERROR(ForEachChunk([&](uint64_t first, uint64_t count) {
    for (uint64_t i = 0; i < count; ++i) chunk[i] = ProbeWord(first + i, seed);
    PENSTOCK_RETURN_IF_ERROR(stream->CopyIn(scratch.data() + first * sizeof(uint32_t), chunk.data(), count * sizeof(uint32_t)));
    return stream->Synchronize();
  }));
  return ForEachChunk([&](uint64_t first, uint64_t count) {
    PENSTOCK_RETURN_IF_ERROR(stream->CopyOut(chunk.data(), scratch.data() + first * sizeof(uint32_t), count * sizeof(uint32_t)));
    PENSTOCK_RETURN_IF_ERROR(stream->Synchronize());
    for (uint64_t i = 0; i < count; ++i) *mismatches += chunk[i] != ProbeWord(first + i, seed);
    return Status::Ok();
  });
}

Result<std::unique_ptr<MemoryProbe>> MemoryProbe::Create(std::shared_ptr<const Gpu> gpu, uint64_t bytes) {
  Result<std::shared_ptr<const Kernels>> kernels = Kernels::Load(gpu);
  if (kernels.ok()) return Create(std::move(gpu), bytes, std::move(kernels).value());
  if (kernels.status().code() == StatusCode::kGpuUnavailable) return Create(std::move(gpu), bytes, nullptr);
  return kernels.status();
}

Result<std::unique_ptr<MemoryProbe>> MemoryProbe::Create(std::shared_ptr<const Gpu> gpu, uint64_t bytes,
                                                         std::shared_ptr<const Kernels> kernels) {
  auto state = std::make_unique<State>();
  state->gpu = gpu;
  state->kernels = std::move(kernels);
  state->words = bytes / sizeof(uint32_t);
  Result<std::unique_ptr<Stream>> stream = Stream::Create(gpu);
  if (!stream.ok()) return stream.status();
  state->stream = std::move(stream).value();
  Result<DeviceBuffer> scratch = DeviceBuffer::Allocate(gpu, static_cast<size_t>(bytes));
  if (!scratch.ok()) return scratch.status();
  state->scratch = std::move(scratch).value();
  Result<DeviceBuffer> count = DeviceBuffer::Allocate(gpu, sizeof state->host_count);
  if (!count.ok()) return count.status();
  state->device_count = std::move(count).value();
  return std::unique_ptr<MemoryProbe>(new MemoryProbe(std::move(state)));
}

MemoryProbe::MemoryProbe(std::unique_ptr<State> state) : state_(std::move(state)) {}

MemoryProbe::~MemoryProbe() = default;

ProbeResult MemoryProbe::Run() {
  const int64_t start_ns = MonotonicNs();
  ProbeResult result;
  result.bytes = state_->words * sizeof(uint32_t);  // not more than Create was given
  result.status = state_->kernels != nullptr ? state_->ExamineOnDevice(&result.mismatches) : state_->ExamineOnHost(&result.mismatches);
  ++state_->seed;
  if (result.status.ok()) {
    const Result<DeviceMemory> memory = state_->gpu->ReadMemory();
    if (memory.ok()) {
      result.free_bytes = memory.value().free_bytes;
    } else {
      result.status = memory.status();
    }
  }
  result.duration_ns = MonotonicNs() - start_ns;
  return result;
}

}  // namespace penstock::device
