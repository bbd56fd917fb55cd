// Where zlib comes from: found at run time, so that nothing links against it.
#pragma once

#include <functional>
#include <optional>

#include "transport/zlib_api.h"

namespace penstock::transport {

// The address of a function; null = there is none of this name.
using ZlibLookup = std::function<void*(const char* name)>;

// All functions come from one place, never from two.
struct ZlibSources {
  ZlibLookup process;  // what the program itself exports: Node does, and its copy is the one whose bytes JavaScript would answer with
  // Opens the library of the system; empty when there is none.
  std::function<ZlibLookup()> open_library;
};

ZlibSources SystemZlibSources();

// None where zlib is missing, is not of release 1, or is exported in part: a library beside that part might call it.
std::optional<Zlib> BindZlib(const ZlibSources& sources);

// That of this process: looked for once, for the rest of it; null = none. Any thread.
const Zlib* FindZlib();

}  // namespace penstock::transport
