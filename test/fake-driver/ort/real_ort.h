// The real library behind the fake one, and what is asked of it in more than one place.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "session/ort_api.h"

namespace penstock::fake_ort {

using session::OrtEntry;
using session::OrtFunctions;

constexpr int kOrtFail = 1;  // OrtErrorCode
constexpr int kOrtInvalidArgument = 2;
constexpr size_t kSlots = 256;  // all that a caller of kOrtApiVersion may know of, and less than any release since has

struct Real {
  const OrtEntry* entry = nullptr;
  OrtFunctions ort;
  OrtStatus* (*create_status)(int code, const char* message) = nullptr;
  void* table[kSlots] = {};
};

// Ends the process where there is none.
const Real& TheReal();

OrtStatus* Failure(const std::string& text, int code = kOrtFail);
OrtStatus* NoRoom(uint64_t bytes);

// What a tensor of numbers is made of.
struct Shape {
  int element_type = 0;
  std::vector<int64_t> dims;
  uint64_t bytes = 0;
};

OrtStatus* ShapeOf(const OrtValue* value, Shape* shape);

// Of a binding that has run; theirs who asks.
OrtStatus* RealOutputs(const OrtIoBinding* binding, std::vector<OrtValue*>* values);

}  // namespace penstock::fake_ort
