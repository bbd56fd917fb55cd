#include "transport/library_functions.h"

#include <dlfcn.h>

namespace penstock::transport {
namespace {

std::string Named(const LibraryNeed& need) {
  return std::string(need.library) + " (Debian and Ubuntu have it in the package " + need.packages + "): ";
}

}  // namespace

SymbolSources SystemSymbols(const char* library) {
  const auto open = [library](bool apart, std::string* reason) -> SymbolLookup {
    // Without DEEPBIND the library's own calls would go to the functions that the process exports, and end in a crash. Address sanitizer
    // does not let it pass, so it is asked for only where it is needed. A look-up by the handle finds what the library brings along, too.
    void* const handle = dlopen(library, RTLD_NOW | RTLD_LOCAL | (apart ? RTLD_DEEPBIND : 0));
    if (handle != nullptr) return [handle](const char* name) { return dlsym(handle, name); };
    const char* const error = dlerror();
    *reason = error != nullptr ? error : "the loader gave no reason";
    return {};
  };
  return {[](const char* name) { return dlsym(RTLD_DEFAULT, name); }, open};
}

Status CannotOpen(const LibraryNeed& need, const std::string& reason) {
  return Status(StatusCode::kNotSupported, std::string(need.purpose) + " needs " + Named(need) + reason);
}

Status LacksFunction(const LibraryNeed& need, const std::string& missing) {
  return Status(StatusCode::kNotSupported, std::string(need.purpose) + " needs another " + Named(need) + "this one has no " + missing);
}

}  // namespace penstock::transport
