// What a memory probe writes: the same for the kernel, for the comparison on the host, and for the kernel's stand-in in tests.
#pragma once

#include <cstdint>

#if defined(__CUDACC__)
#define PENSTOCK_HOST_DEVICE __host__ __device__
#else
#define PENSTOCK_HOST_DEVICE
#endif

namespace penstock::device {

// Word `index` of the pattern `seed`. An odd seed gives the complement of the even one before it, so that two runs try both states of every
// bit. The mixing is the finalizer of MurmurHash3 (public domain): neighbours differ in half of their bits, and an address line that is
// stuck brings the word of another place.
PENSTOCK_HOST_DEVICE inline uint32_t ProbeWord(uint64_t index, uint32_t seed) {
  uint32_t word = static_cast<uint32_t>(index) ^ (static_cast<uint32_t>(index >> 32) + (seed >> 1)) * 0x9E3779B9u;
  word = (word ^ (word >> 16)) * 0x85EBCA6Bu;
  word = (word ^ (word >> 13)) * 0xC2B2AE35u;
  word ^= word >> 16;
  return (seed & 1) != 0 ? ~word : word;
}

}  // namespace penstock::device
