// A fuzzer: libFuzzer calls this with the inputs that it makes up. PENSTOCK_FUZZ_TARGET is one of targets.h.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

#include "fuzz/targets.h"

extern "C" __attribute__((visibility("default"))) int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  const char* broken = penstock::fuzz::PENSTOCK_FUZZ_TARGET({reinterpret_cast<const char*>(bytes), size});
  if (broken == nullptr) return 0;
  std::fprintf(stderr, "did not hold: %s\n", broken);
  std::abort();
}
