// libonnxruntime.so.1 of tests: the real library, with a CUDA provider that needs no GPU. See README.md.
#include <cstring>

#include "books.h"
#include "ort_script.h"
#include "real_ort.h"
#include "replacements.h"
#include "session/ort_api.h"

#define FAKE_EXPORT extern "C" __attribute__((visibility("default")))

namespace penstock::fake_ort {

Books& TheBooks() {
  static Books& books = *new Books;
  return books;
}

namespace {

// Slots as in session/ort_api.h, which is checked against the official header: a replacement of another signature does not compile.
const void* GetApi(uint32_t version) {
  if (version > session::kOrtApiVersion) return nullptr;
  static void* const* const table = [] {
    auto* copy = new void*[kSlots];
    std::memcpy(copy, TheReal().table, sizeof TheReal().table);
    OrtFunctions functions = TheReal().ort;
    ReplaceSessions(&functions);
    ReplaceBindings(&functions);
#define FAKE_ORT_SLOT(slot, name, result, parameters) std::memcpy(&copy[slot], &functions.name, sizeof(void*));
    PENSTOCK_ORT_FUNCTIONS(FAKE_ORT_SLOT)
#undef FAKE_ORT_SLOT
    return copy;
  }();
  return table;
}

const char* GetVersionString() { return TheReal().entry->GetVersionString(); }

}  // namespace
}  // namespace penstock::fake_ort

FAKE_EXPORT const penstock::session::OrtEntry* OrtGetApiBase() {
  static const penstock::session::OrtEntry entry = {penstock::fake_ort::GetApi, penstock::fake_ort::GetVersionString};
  return &entry;
}

FAKE_EXPORT void fake_ort_set_script(const char* text) { penstock::fake_ort::SetScript(text); }

FAKE_EXPORT uint64_t fake_ort_calls(const char* function) { return penstock::fake_ort::Calls(function); }

FAKE_EXPORT uint64_t fake_ort_shrinks() {
  auto& books = penstock::fake_ort::TheBooks();
  const penstock::fake_ort::Lock lock(books.mutex);
  return books.shrinks;
}

// Graphs that were captured, and runs that used one, since the process began.
FAKE_EXPORT uint64_t fake_ort_captures() { return penstock::fake_ort::TheBooks().graphs.captures(); }
FAKE_EXPORT uint64_t fake_ort_replays() { return penstock::fake_ort::TheBooks().graphs.replays(); }

// Valid until the provider is appended again.
FAKE_EXPORT const char* fake_ort_option(const char* name) {
  auto& books = penstock::fake_ort::TheBooks();
  const penstock::fake_ort::Lock lock(books.mutex);
  const auto found = books.last_options.find(name);
  return found == books.last_options.end() ? nullptr : found->second.c_str();
}
