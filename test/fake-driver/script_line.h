// One line of the script, taken word by word. Every word that does not fit ends the process.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace penstock::fake_driver {

class Line {
 public:
  // `number` is where it stands in the script, from 1.
  Line(std::string text, size_t number);

  bool done() const { return next_ == words_.size(); }
  const std::string& Word();
  // Decimal, or hexadecimal with 0x.
  uint64_t Number();
  // "16MiB", "4KiB", "1GiB" or plain bytes.
  uint64_t Bytes();
  // "200us", "5ms", "2s".
  std::chrono::nanoseconds Duration();
  // One of `size` things.
  size_t Index(uint64_t size, const char* what);
  [[noreturn]] void Fail(const std::string& why) const;

 private:
  uint64_t Scaled(const std::map<std::string, uint64_t>& units);

  const std::string text_;
  const size_t number_;
  std::vector<std::string> words_;
  size_t next_ = 0;
};

}  // namespace penstock::fake_driver
