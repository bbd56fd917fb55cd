#include "transport/nghttp2_library.h"

namespace penstock::transport {
namespace {

constexpr LibraryNeed kNeed = {"HTTP/2", "libnghttp2.so.14", "libnghttp2-14"};

Binding<Nghttp2> Bind(const SymbolLookup& lookup) {
  Binding<Nghttp2> binding;
#define PENSTOCK_NGHTTP2_BIND(name, result, parameters) binding.Find(lookup, "nghttp2_" #name, &binding.functions.name);
  PENSTOCK_NGHTTP2_FUNCTIONS(PENSTOCK_NGHTTP2_BIND)
#undef PENSTOCK_NGHTTP2_BIND
  return binding;
}

}  // namespace

Result<Nghttp2> BindNghttp2(const SymbolSources& sources) { return BindWhole(sources, Bind, kNeed); }

Result<const Nghttp2*> FindNghttp2() {
  static const Result<Nghttp2> found = BindNghttp2(SystemSymbols(kNeed.library));
  PENSTOCK_RETURN_IF_ERROR(found.status());
  return &found.value();
}

}  // namespace penstock::transport
