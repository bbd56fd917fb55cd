// What the stand-in has been told to do to calls.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace penstock::fake_ort {

// [any thread] Counts a call of `function` and does to it what the script says: it may sleep or never return. The text of the failure that
// the script wants, empty for none.
std::string BeginCall(const std::string& function);

struct RunOrder {
  std::string failure;                         // empty for none
  std::chrono::steady_clock::time_point ends;  // not before; in the past where the script says nothing
};
// [any thread] The same of a run with so many rows.
RunOrder BeginRun(const std::string& function, int64_t rows);
void WaitUntil(std::chrono::steady_clock::time_point moment);

// Takes the place of the file's lines; counts begin anew.
void SetScript(const std::string& text);
uint64_t Calls(const std::string& function);

}  // namespace penstock::fake_ort
