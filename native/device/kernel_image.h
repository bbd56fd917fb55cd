// The compiled kernels as they lie in this binary.
#pragma once

namespace penstock::device {

// A fatbin for cuModuleLoadData; null when the build had no nvcc.
const void* EmbeddedKernels();

}  // namespace penstock::device
