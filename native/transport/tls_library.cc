#include "transport/tls_library.h"

#include <string>

namespace penstock::transport {
namespace {

constexpr LibraryNeed kNeed = {"TLS", "libssl.so.3", "libssl3, or libssl3t64"};

Binding<Tls> Bind(const SymbolLookup& lookup) {
  Binding<Tls> binding;
#define PENSTOCK_TLS_BIND(name, result, parameters) binding.Find(lookup, #name, &binding.functions.name);
  PENSTOCK_TLS_FUNCTIONS(PENSTOCK_TLS_BIND)
#undef PENSTOCK_TLS_BIND
  // Numbers of the interface hold within a major release: https://docs.openssl.org/master/man7/openssl-versioning
  if (binding.missing.empty() && binding.functions.OPENSSL_version_major() != kTlsMajor) {
    binding.missing = "interface of OpenSSL " + std::to_string(kTlsMajor);
  }
  return binding;
}

}  // namespace

Result<Tls> BindTls(const SymbolSources& sources) {
  Result<Tls> tls = BindWhole(sources, Bind, kNeed);
  // OpenSSL would clean up at the end of the process while loops may still run.
  if (!tls.ok() || tls.value().OPENSSL_init_ssl(kTlsInitNoAtExit, nullptr) == 1) return tls;
  return Status(StatusCode::kNotSupported, "TLS needs OpenSSL, which does not start: its configuration may be broken");
}

Result<const Tls*> FindTls() {
  static const Result<Tls> found = BindTls(SystemSymbols(kNeed.library));
  PENSTOCK_RETURN_IF_ERROR(found.status());
  return &found.value();
}

}  // namespace penstock::transport
