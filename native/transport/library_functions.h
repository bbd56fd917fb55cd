// Libraries in C that are found at run time: nothing links against them, and machines without one lose only what needs it.
//
// Node exports what it has of OpenSSL, nghttp2 and zlib: https://nodejs.org/api/addons.html#linking-to-libraries-included-with-nodejs
#pragma once

#include <cstddef>
#include <functional>
#include <string>

#include "base/status.h"

namespace penstock::transport {

// The address of a function; null = there is none of this name.
using SymbolLookup = std::function<void*(const char* name)>;

struct SymbolSources {
  SymbolLookup process;  // what the program itself exports, as Node does
  // Opens the library of the system, or gives an empty look-up and says why in `reason`. `apart`: the library has to call its own functions
  // even where the process exports some of the same names.
  std::function<SymbolLookup(bool apart, std::string* reason)> open_library;
};

// `library` as the loader knows it: "libz.so.1". It is never closed.
SymbolSources SystemSymbols(const char* library);

// Whose functions they are, in messages: "TLS", "libssl.so.3", "libssl3".
struct LibraryNeed {
  const char* purpose;
  const char* library;
  const char* packages;  // of Debian and Ubuntu
};

// A table with a pointer for each function, as one source has them.
template <typename Functions>
struct Binding {
  Functions functions;
  size_t found = 0;
  std::string missing;  // the first that the source lacks; empty = it is whole

  template <typename Function>
  void Find(const SymbolLookup& lookup, const char* name, Function** function) {
    *function = reinterpret_cast<Function*>(lookup(name));
    if (*function != nullptr) {
      ++found;
    } else if (missing.empty()) {
      missing = name;
    }
  }
};

// kNotSupported, with what is missing and which package has it. `reason`: of a library that could not be opened.
Status CannotOpen(const LibraryNeed& need, const std::string& reason);
Status LacksFunction(const LibraryNeed& need, const std::string& missing);

// All functions from one place, never from two: what one release made means nothing to another.
template <typename Functions>
Result<Functions> BindWhole(const SymbolSources& sources, Binding<Functions> (*bind)(const SymbolLookup&), const LibraryNeed& need) {
  const Binding<Functions> own = bind(sources.process);
  if (own.missing.empty()) return own.functions;
  std::string reason;
  const SymbolLookup library = sources.open_library(own.found > 0, &reason);
  if (!library) return CannotOpen(need, reason);
  const Binding<Functions> system = bind(library);
  if (system.missing.empty()) return system.functions;
  return LacksFunction(need, system.missing);
}

}  // namespace penstock::transport
