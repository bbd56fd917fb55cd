// Where nghttp2 comes from: found at run time, so that nothing links against it and machines without it lose only what needs it.
#pragma once

#include <functional>
#include <string>

#include "base/status.h"
#include "transport/nghttp2_api.h"

namespace penstock::transport {

// The address of a function; null = there is none of this name.
using SymbolLookup = std::function<void*(const char* name)>;

// All functions come from one place, never from two: a session of one release means nothing to another.
struct Nghttp2Sources {
  SymbolLookup process;  // what the program itself exports, as Node does
  // Opens the library of the system, or gives an empty look-up and says why in `reason`. `apart`: the library has to call its own functions
  // even where the process exports some of the same names.
  std::function<SymbolLookup(bool apart, std::string* reason)> open_library;
};

Nghttp2Sources SystemNghttp2Sources();

// kNotSupported says what is missing and which package has it.
Result<Nghttp2> BindNghttp2(const Nghttp2Sources& sources);

// That of this process: looked for once, for the rest of it. Any thread.
Result<const Nghttp2*> FindNghttp2();

}  // namespace penstock::transport
