#include "device/kernel_image.h"

#if defined(PENSTOCK_KERNELS_FATBIN)
// The assembler takes the file in as it is; CMake names it, and builds this file again when it changes.
asm(".section .rodata\n"
    ".balign 64\n"
    ".local penstock_kernels_fatbin\n"
    "penstock_kernels_fatbin:\n"
    ".incbin \"" PENSTOCK_KERNELS_FATBIN
    "\"\n"
    ".previous\n");
extern "C" const unsigned char penstock_kernels_fatbin[];
#endif

namespace penstock::device {

const void* EmbeddedKernels() {
#if defined(PENSTOCK_KERNELS_FATBIN)
  return penstock_kernels_fatbin;
#else
  return nullptr;
#endif
}

}  // namespace penstock::device
