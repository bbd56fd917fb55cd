// The stand-in for the CUDA provider (test/fake-driver/ort) as tests of this folder steer it.
#pragma once

#include <cstdint>
#include <string>

#include "device/test_library.h"

namespace penstock::session {

// One test at a time: the script holds for the whole process.
class FakeOrt {
 public:
  FakeOrt() { Say(""); }
  ~FakeOrt() { Say(""); }

  static const char* Library() { return PENSTOCK_FAKE_DRIVER_DIR "/ort/libonnxruntime.so.1"; }

  // Lines as in test/fake-driver/ort/README.md; counts of calls begin anew.
  void Say(const std::string& script) { Call<void(const char*)>("fake_ort_set_script")(script.c_str()); }
  uint64_t Calls(const char* function) const { return Call<uint64_t(const char*)>("fake_ort_calls")(function); }
  // Runs that asked for the arena to be shrunk, since the process began.
  uint64_t Shrinks() const { return Call<uint64_t()>("fake_ort_shrinks")(); }
  // Graphs that were captured, and runs that used one, since the process began.
  uint64_t Captures() const { return Call<uint64_t()>("fake_ort_captures")(); }
  uint64_t Replays() const { return Call<uint64_t()>("fake_ort_replays")(); }
  // An option as the provider got it last; empty when it got none.
  std::string Option(const char* name) const {
    const char* const value = Call<const char*(const char*)>("fake_ort_option")(name);
    return value != nullptr ? value : "";
  }

 private:
  template <typename Function>
  static Function* Call(const char* name) {
    static const device::FakeLibrary library(Library());
    return library.Find<Function>(name);
  }
};

}  // namespace penstock::session
