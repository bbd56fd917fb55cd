// nghttp2, as this process or this machine has it.
#pragma once

#include "base/status.h"
#include "transport/library_functions.h"
#include "transport/nghttp2_api.h"

namespace penstock::transport {

Result<Nghttp2> BindNghttp2(const SymbolSources& sources);

// That of this process: looked for once, for the rest of it. Any thread.
Result<const Nghttp2*> FindNghttp2();

}  // namespace penstock::transport
