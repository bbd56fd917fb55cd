// zlib, as this process or this machine has it. Node's is the one whose bytes JavaScript would answer with.
#pragma once

#include "base/status.h"
#include "transport/library_functions.h"
#include "transport/zlib_api.h"

namespace penstock::transport {

// kNotSupported where there is none, or none of release 1.
Result<Zlib> BindZlib(const SymbolSources& sources);

// That of this process: looked for once, for the rest of it; null = none, which costs compression only. Any thread.
const Zlib* FindZlib();

}  // namespace penstock::transport
