// A library of test/fake-driver, opened as the real one is, for tests of this folder and those above it.
#pragma once

#include <dlfcn.h>

#include <cstdio>
#include <cstdlib>

namespace penstock::device {

class FakeLibrary {
 public:
  // Stays open. What is missing ends the process: no test means anything without it.
  explicit FakeLibrary(const char* path) : handle_(dlopen(path, RTLD_NOW | RTLD_LOCAL)) { Need(handle_); }

  template <typename Function>
  Function* Find(const char* name) const {
    void* const function = dlsym(handle_, name);
    Need(function);
    return reinterpret_cast<Function*>(function);
  }

 private:
  static void Need(const void* found) {
    if (found != nullptr) return;
    std::fprintf(stderr, "%s\n", dlerror());
    std::abort();
  }

  void* const handle_;
};

}  // namespace penstock::device
