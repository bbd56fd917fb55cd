// What the stand-in has been told to do to calls.
#pragma once

#include <cstdint>
#include <string>

namespace penstock::fake_ort {

// [any thread] Counts a call of `function` and does to it what the script says: it may sleep or never return. The text of the failure that
// the script wants, empty for none.
std::string BeginCall(const std::string& function);

// Takes the place of the file's lines; counts begin anew.
void SetScript(const std::string& text);
uint64_t Calls(const std::string& function);

}  // namespace penstock::fake_ort
