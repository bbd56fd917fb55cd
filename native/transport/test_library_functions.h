// Places where functions might be found, for tests.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>

#include "transport/library_functions.h"

namespace penstock::transport {

constexpr uintptr_t kOwnPlace = 1 << 20;
constexpr uintptr_t kLibraryPlace = 1 << 21;

// Addresses that are told apart, and never called.
inline SymbolLookup SymbolsAt(uintptr_t place, const std::string& lacks = "") {
  return [=](const char* name) { return name == lacks ? nullptr : reinterpret_cast<void*>(place + std::strlen(name)); };
}

// The same with one function that is called.
inline SymbolLookup With(const char* name, void* function, const SymbolLookup& others) {
  return [=](const char* wanted) { return std::strcmp(wanted, name) == 0 ? function : others(wanted); };
}

inline SymbolLookup NoSymbols() {
  return [](const char*) -> void* { return nullptr; };
}

}  // namespace penstock::transport
