#include "session/ort_library.h"

#include <dlfcn.h>

#include <cstdlib>

namespace penstock::session {

Result<OrtLibrary> OpenOrtLibrary(const std::string& path) {
  const auto refuse = [&path](const std::string& why) {
    return Status(StatusCode::kOrtLibrary, "cannot use '" + path + "' as the ONNX Runtime library: " + why);
  };
  // Without a slash dlopen would search the system's folders, and which library is used must not depend on them.
  if (path.find('/') == std::string::npos) return refuse("expected a path with a folder");

  // The official library reports its use to Microsoft: it keeps a database in the user's home, and asks the network with every session
  // (seen in release 1.29). A server does neither unless its user sets this variable himself.
  setenv("ORT_DISABLE_TELEMETRY", "1", 0);
  // The path goes to dlopen as it is given: ONNX Runtime looks for its provider libraries in that folder, symlinks not resolved.
  void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    const char* reason = dlerror();
    return refuse(reason != nullptr ? reason : "the loader gave no reason");
  }
  using GetEntry = const OrtEntry* (*)();
  const auto get_entry = reinterpret_cast<GetEntry>(dlsym(library, "OrtGetApiBase"));
  if (get_entry == nullptr) {
    dlclose(library);
    return refuse("it does not export OrtGetApiBase");
  }
  const OrtEntry* entry = get_entry();
  const std::string version = entry->GetVersionString();
  const void* table = entry->GetApi(kOrtApiVersion);
  if (table == nullptr) return refuse("found release " + version + ", expected 1." + std::to_string(kOrtApiVersion) + " or newer");
  return OrtLibrary{OrtFunctions::Bind(table), version};
}

}  // namespace penstock::session
