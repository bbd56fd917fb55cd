// What happens at each call: it is counted, and the current script may strike it.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "script.h"

#define FAKE_EXPORT extern "C" __attribute__((visibility("default")))

// The number of a function, looked up once.
#define FAKE_FUNCTION(name)                                                      \
  ([] {                                                                          \
    static const size_t number = ::penstock::fake_driver::FunctionNumber(#name); \
    return number;                                                               \
  }())

namespace penstock::fake_driver {

// What the script wants of one call. Delays and hangs of the call itself have passed already.
struct Effects {
  int code = 0;    // return this at once
  int sticky = 0;  // and this is the context's state from now on
  // Of the work that the call leaves to a stream:
  int async_sticky = 0;
  std::chrono::nanoseconds delay{0};
  bool corrupt = false;
  size_t hang_of = SIZE_MAX;  // number of the function whose `async-hang` struck; SIZE_MAX = none
};

// [any thread] Counts the call and finds out what is to happen to it; sleeps or hangs when the script says so. `gpu` is the GPU's index
// in the script, -1 when it is about none. Without a file to follow it takes no lock, so that ThreadSanitizer does not
// take its callers for ordered.
Effects BeginCall(size_t function, int gpu);

// [any thread] Waits for as long as the script has an `async-hang` for this function and the driver has not been reset.
void HangWork(size_t function);

// [any thread] The script that holds now; valid for ever.
const Script& CurrentScript();

// A number that changes with each reset: what was made before one is no longer known.
uint64_t ResetCount();
// Forgets script and counts; the caller forgets the rest.
void ResetCalls();

}  // namespace penstock::fake_driver
