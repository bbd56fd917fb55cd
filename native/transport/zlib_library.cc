#include "transport/zlib_library.h"

#include <dlfcn.h>

#include <cstddef>

namespace penstock::transport {
namespace {

constexpr const char* kLibrary = "libz.so.1";

struct Binding {
  Zlib functions;
  size_t found = 0;
  bool is_whole = true;
};

Binding Bind(const ZlibLookup& lookup) {
  Binding binding;
#define PENSTOCK_ZLIB_BIND(name, result, parameters)                             \
  binding.functions.name = reinterpret_cast<decltype(Zlib::name)>(lookup(#name)); \
  if (binding.functions.name != nullptr) ++binding.found;                        \
  if (binding.functions.name == nullptr) binding.is_whole = false;
  PENSTOCK_ZLIB_FUNCTIONS(PENSTOCK_ZLIB_BIND)
#undef PENSTOCK_ZLIB_BIND
  // Interfaces of one release agree (zlib.h: the first character of the version).
  if (binding.is_whole && binding.functions.zlibVersion()[0] != '1') binding.is_whole = false;
  return binding;
}

}  // namespace

// Node exports the functions of zlib for its addons: https://nodejs.org/api/addons.html#linking-to-libraries-included-with-nodejs
ZlibSources SystemZlibSources() {
  return {[](const char* name) { return dlsym(RTLD_DEFAULT, name); },
          []() -> ZlibLookup {
            void* library = dlopen(kLibrary, RTLD_NOW | RTLD_LOCAL);
            if (library == nullptr) return {};
            return [library](const char* name) { return dlsym(library, name); };
          }};
}

std::optional<Zlib> BindZlib(const ZlibSources& sources) {
  Binding binding = Bind(sources.process);
  if (binding.found == 0) {
    const ZlibLookup library = sources.open_library();
    if (!library) return std::nullopt;
    binding = Bind(library);
  }
  if (!binding.is_whole) return std::nullopt;
  return binding.functions;
}

const Zlib* FindZlib() {
  static const std::optional<Zlib> found = BindZlib(SystemZlibSources());
  return found ? &*found : nullptr;
}

}  // namespace penstock::transport
