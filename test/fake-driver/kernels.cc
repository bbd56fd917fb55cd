#include "kernels.h"

#include <algorithm>

#include "base/checked_math.h"
#include "contexts.h"

namespace penstock::fake_driver {
namespace {

// For the tests of the fake itself.
void FillWords(const Launch& launch, uint64_t to, uint32_t value, uint64_t count) {
  std::fill_n(launch.At<uint32_t>(to, count), count, value);
}

// One line a kernel.
const std::vector<Kernel>& Table() {
  static const auto& table = *new std::vector<Kernel>{
      KernelOf<FillWords>::Named("fake_fill_words"),
  };
  return table;
}

}  // namespace

void* Launch::Reach(uint64_t pointer, uint64_t count, size_t element_bytes, size_t alignment) const {
  uint64_t bytes = 0;
  auto* at = reinterpret_cast<void*>(pointer);
  if (!CheckedMul(count, element_bytes, &bytes) || pointer % alignment != 0 || !context->Reaches(at, bytes)) throw IllegalAddress{};
  return at;
}

const Kernel* FindKernel(const std::string& name) {
  for (const Kernel& each : Table()) {
    if (each.name == name) return &each;
  }
  return nullptr;
}

}  // namespace penstock::fake_driver
