#include "transport/tls_library.h"

#include <dlfcn.h>

#include <cstddef>

namespace penstock::transport {
namespace {

constexpr const char* kLibrary = "libssl.so.3";
constexpr const char* kAdvice = " (Debian and Ubuntu have it in the package libssl3, or libssl3t64)";

struct Binding {
  Tls functions;
  size_t found = 0;
  std::string missing;  // the first one
};

Binding Bind(const TlsLookup& lookup) {
  Binding binding;
#define PENSTOCK_TLS_BIND(name, result, parameters)                                               \
  binding.functions.name = reinterpret_cast<decltype(Tls::name)>(lookup(#name));                  \
  if (binding.functions.name != nullptr) ++binding.found;                                         \
  if (binding.functions.name == nullptr && binding.missing.empty()) binding.missing = #name;
  PENSTOCK_TLS_FUNCTIONS(PENSTOCK_TLS_BIND)
#undef PENSTOCK_TLS_BIND
  // Numbers of the interface hold within a major release: https://docs.openssl.org/master/man7/openssl-versioning
  if (binding.missing.empty() && binding.functions.OPENSSL_version_major() != kTlsMajor) {
    binding.missing = "interface of OpenSSL " + std::to_string(kTlsMajor);
  }
  return binding;
}

// OpenSSL would clean up at the end of the process while loops may still run.
Result<Tls> Initialised(const Tls& tls) {
  if (tls.OPENSSL_init_ssl(kTlsInitNoAtExit, nullptr) == 1) return tls;
  return Status(StatusCode::kNotSupported, "TLS needs OpenSSL, which does not start: its configuration may be broken");
}

TlsLookup OpenLibrary(bool apart, std::string* reason) {
  // As in nghttp2_library.cc. A look-up by the handle finds what libcrypto has, too, which libssl brings along.
  void* library = dlopen(kLibrary, RTLD_NOW | RTLD_LOCAL | (apart ? RTLD_DEEPBIND : 0));
  if (library != nullptr) return [library](const char* name) { return dlsym(library, name); };
  const char* error = dlerror();
  *reason = error != nullptr ? error : "the loader gave no reason";
  return {};
}

}  // namespace

// Node exports the functions of OpenSSL for its addons: https://nodejs.org/api/addons.html#linking-to-libraries-included-with-nodejs
TlsSources SystemTlsSources() {
  return {[](const char* name) { return dlsym(RTLD_DEFAULT, name); }, OpenLibrary};
}

Result<Tls> BindTls(const TlsSources& sources) {
  const Binding own = Bind(sources.process);
  if (own.missing.empty()) return Initialised(own.functions);
  std::string reason;
  const TlsLookup library = sources.open_library(own.found > 0, &reason);
  if (!library) return Status(StatusCode::kNotSupported, std::string("TLS needs ") + kLibrary + kAdvice + ": " + reason);
  const Binding system = Bind(library);
  if (system.missing.empty()) return Initialised(system.functions);
  return Status(StatusCode::kNotSupported, std::string("TLS needs another ") + kLibrary + kAdvice + ": this one has no " + system.missing);
}

Result<const Tls*> FindTls() {
  static const Result<Tls> found = BindTls(SystemTlsSources());
  PENSTOCK_RETURN_IF_ERROR(found.status());
  return &found.value();
}

}  // namespace penstock::transport
