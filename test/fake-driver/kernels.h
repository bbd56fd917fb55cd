// Kernels as C++ functions, found by the name that the real module has for them.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "stream_worker.h"

struct CUctx_st;

namespace penstock::fake_driver {

struct Dimensions {
  unsigned x = 1;
  unsigned y = 1;
  unsigned z = 1;
};

// One launch, seen from the kernel, which does the work of all its threads.
struct Launch {
  CUctx_st* context = nullptr;
  Dimensions grid;
  Dimensions block;

  // `count` elements of memory of the device or of page-locked memory. Anywhere else the launch fails as an illegal address does (700).
  template <typename T>
  T* At(uint64_t pointer, uint64_t count) const {
    return static_cast<T*>(Reach(pointer, count, sizeof(T), alignof(T)));
  }

 private:
  void* Reach(uint64_t pointer, uint64_t count, size_t element_bytes, size_t alignment) const;
};

struct Kernel {
  std::string name;
  std::vector<size_t> parameter_bytes;
  // Parameters one after the other as they were copied at launch.
  void (*run)(const Launch& launch, const unsigned char* parameters);
};

// Makes the table's row of a function `void F(const Launch&, parameters by value)`.
template <auto kFunction>
struct KernelOf;

template <typename... Parameters, void (*kFunction)(const Launch&, Parameters...)>
struct KernelOf<kFunction> {
  static Kernel Named(const char* name) { return {name, {sizeof(Parameters)...}, &Run}; }

 private:
  static void Run(const Launch& launch, const unsigned char* bytes) {
    std::tuple<Parameters...> values;
    std::apply([&](auto&... each) { ((std::memcpy(&each, bytes, sizeof(each)), bytes += sizeof(each)), ...); }, values);
    std::apply([&](const auto&... each) { kFunction(launch, each...); }, values);
  }
};

// Null when there is none of this name.
const Kernel* FindKernel(const std::string& name);

}  // namespace penstock::fake_driver
