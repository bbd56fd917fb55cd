// Where OpenSSL comes from: found at run time, so that nothing links against it and machines without it lose only what needs it.
#pragma once

#include <functional>
#include <string>

#include "base/status.h"
#include "transport/tls_api.h"

namespace penstock::transport {

// The address of a function; null = there is none of this name.
using TlsLookup = std::function<void*(const char* name)>;

// All functions come from one place, never from two: a connection of one release means nothing to another.
struct TlsSources {
  TlsLookup process;  // what the program itself exports, as Node does
  // Opens the library of the system, or gives an empty look-up and says why in `reason`. `apart`: the library has to call its own functions
  // even where the process exports some of the same names.
  std::function<TlsLookup(bool apart, std::string* reason)> open_library;
};

TlsSources SystemTlsSources();

// kNotSupported says what is missing and which package has it.
Result<Tls> BindTls(const TlsSources& sources);

// That of this process: looked for once, for the rest of it. Any thread.
Result<const Tls*> FindTls();

}  // namespace penstock::transport
