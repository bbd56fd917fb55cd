#include "loadgen/flag_values.h"

#include <charconv>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <iterator>

#include "base/clock.h"

namespace penstock::loadgen {

Status Wrong(const std::string& what) { return {StatusCode::kConfigOption, what}; }

Result<double> Number(const std::string& flag, const std::string& text, double least, double most) {
  double value = 0;
  const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc() && rest == text.data() + text.size() && value >= least && value <= most) return value;
  char range[80];
  std::snprintf(range, sizeof range, "a number from %g to %.10g", least, most);
  return Wrong(flag + ": \"" + text + "\" is not " + range);
}

Result<std::string> ReadFile(const std::string& flag, const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string bytes{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  if (!file.is_open() || file.bad()) return Wrong(flag + ": cannot read " + path);
  return bytes;
}

bool HasControl(const std::string& text) {
  for (const char c : text) {
    if (static_cast<unsigned char>(c) < ' ' || c == 0x7f) return true;
  }
  return false;
}

int64_t Nanoseconds(double seconds) { return std::llround(seconds * static_cast<double>(kNsPerSecond)); }

}  // namespace penstock::loadgen
