// OpenSSL, as this process or this machine has it.
#pragma once

#include "base/status.h"
#include "transport/library_functions.h"
#include "transport/tls_api.h"

namespace penstock::transport {

// Initialised. kNotSupported where there is none, or none of release 3.
Result<Tls> BindTls(const SymbolSources& sources);

// That of this process: looked for once, for the rest of it. Any thread.
Result<const Tls*> FindTls();

}  // namespace penstock::transport
