// The values of flags, and what is said about wrong ones.
#pragma once

#include <cstdint>
#include <string>

#include "base/status.h"

namespace penstock::loadgen {

// kConfigOption.
Status Wrong(const std::string& what);

Result<double> Number(const std::string& flag, const std::string& text, double least, double most);

// All bytes of the file that a flag names.
Result<std::string> ReadFile(const std::string& flag, const std::string& path);

// Control characters would end a line of the request, or break one of our messages.
bool HasControl(const std::string& text);

// The caller bounds the seconds: 292 years fit.
int64_t Nanoseconds(double seconds);

}  // namespace penstock::loadgen
