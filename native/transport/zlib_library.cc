#include "transport/zlib_library.h"

namespace penstock::transport {
namespace {

constexpr LibraryNeed kNeed = {"compression", "libz.so.1", "zlib1g"};

Binding<Zlib> Bind(const SymbolLookup& lookup) {
  Binding<Zlib> binding;
#define PENSTOCK_ZLIB_BIND(name, result, parameters) binding.Find(lookup, #name, &binding.functions.name);
  PENSTOCK_ZLIB_FUNCTIONS(PENSTOCK_ZLIB_BIND)
#undef PENSTOCK_ZLIB_BIND
  // Interfaces of one release agree (zlib.h: the first character of the version).
  if (binding.missing.empty() && binding.functions.zlibVersion()[0] != '1') binding.missing = "interface of zlib 1";
  return binding;
}

}  // namespace

Result<Zlib> BindZlib(const SymbolSources& sources) { return BindWhole(sources, Bind, kNeed); }

const Zlib* FindZlib() {
  static const Result<Zlib> found = BindZlib(SystemSymbols(kNeed.library));
  return found.ok() ? &found.value() : nullptr;
}

}  // namespace penstock::transport
