#include "transport/nghttp2_library.h"

#include <dlfcn.h>

#include <cstddef>

namespace penstock::transport {
namespace {

constexpr const char* kLibrary = "libnghttp2.so.14";
constexpr const char* kAdvice = " (Debian and Ubuntu have it in the package libnghttp2-14)";

struct Binding {
  Nghttp2 functions;
  size_t found = 0;
  const char* missing = nullptr;  // the first one
};

Binding Bind(const SymbolLookup& lookup) {
  Binding binding;
#define PENSTOCK_NGHTTP2_BIND(name, result, parameters)                                                  \
  binding.functions.name = reinterpret_cast<decltype(Nghttp2::name)>(lookup("nghttp2_" #name));          \
  if (binding.functions.name != nullptr) ++binding.found;                                                \
  if (binding.functions.name == nullptr && binding.missing == nullptr) binding.missing = "nghttp2_" #name;
  PENSTOCK_NGHTTP2_FUNCTIONS(PENSTOCK_NGHTTP2_BIND)
#undef PENSTOCK_NGHTTP2_BIND
  return binding;
}

SymbolLookup OpenLibrary(bool apart, std::string* reason) {
  // Without DEEPBIND the library's own calls would go to the functions that the process exports, and end in a crash. Address sanitizer
  // does not let it pass, so it is asked for only where it is needed.
  void* library = dlopen(kLibrary, RTLD_NOW | RTLD_LOCAL | (apart ? RTLD_DEEPBIND : 0));
  if (library != nullptr) return [library](const char* name) { return dlsym(library, name); };
  const char* error = dlerror();
  *reason = error != nullptr ? error : "the loader gave no reason";
  return {};
}

}  // namespace

Nghttp2Sources SystemNghttp2Sources() {
  return {[](const char* name) { return dlsym(RTLD_DEFAULT, name); }, OpenLibrary};
}

Result<Nghttp2> BindNghttp2(const Nghttp2Sources& sources) {
  const Binding own = Bind(sources.process);
  if (own.missing == nullptr) return own.functions;
  std::string reason;
  const SymbolLookup library = sources.open_library(own.found > 0, &reason);
  if (!library) return Status(StatusCode::kNotSupported, std::string("HTTP/2 needs ") + kLibrary + kAdvice + ": " + reason);
  const Binding system = Bind(library);
  if (system.missing == nullptr) return system.functions;
  return Status(StatusCode::kNotSupported,
                std::string("HTTP/2 needs a newer ") + kLibrary + kAdvice + ": this one has no " + system.missing);
}

Result<const Nghttp2*> FindNghttp2() {
  static const Result<Nghttp2> found = BindNghttp2(SystemNghttp2Sources());
  PENSTOCK_RETURN_IF_ERROR(found.status());
  return &found.value();
}

}  // namespace penstock::transport
