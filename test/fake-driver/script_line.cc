#include "script_line.h"

#include <cstdlib>

#include "base/checked_math.h"
#include "script.h"

namespace penstock::fake_driver {

// Words end at blanks, except between double quotes; '#' begins a comment.
Line::Line(std::string text, size_t number) : text_(std::move(text)), number_(number) {
  std::string word;
  bool quoted = false;
  bool begun = false;
  const auto end_word = [&] {
    if (begun) words_.push_back(word);
    word.clear();
    begun = false;
  };
  for (const char each : text_) {
    if (each == '"') {
      quoted = !quoted;
      begun = true;
    } else if (!quoted && each == '#') {
      break;
    } else if (!quoted && (each == ' ' || each == '\t' || each == '\r')) {
      end_word();
    } else {
      word += each;
      begun = true;
    }
  }
  if (quoted) Fail("a quote does not end");
  end_word();
}

const std::string& Line::Word() {
  if (done()) Fail("something is missing at its end");
  return words_[next_++];
}

uint64_t Line::Number() { return Scaled({{"", 1}}); }

uint64_t Line::Bytes() { return Scaled({{"", 1}, {"KiB", 1ull << 10}, {"MiB", 1ull << 20}, {"GiB", 1ull << 30}}); }

std::chrono::nanoseconds Line::Duration() {
  return std::chrono::nanoseconds(Scaled({{"us", 1000}, {"ms", 1'000'000}, {"s", 1'000'000'000}}));
}

size_t Line::Index(uint64_t size, const char* what) {
  const uint64_t index = Number();
  if (index >= size) Fail(std::string("there is no such ") + what);
  return index;
}

void Line::Fail(const std::string& why) const { Die("line " + std::to_string(number_) + " of the script, '" + text_ + "': " + why); }

uint64_t Line::Scaled(const std::map<std::string, uint64_t>& units) {
  const std::string& word = Word();
  char* end = nullptr;
  const uint64_t number = std::strtoull(word.c_str(), &end, 0);
  const auto unit = units.find(end);
  uint64_t result = 0;
  if (end == word.c_str() || word[0] == '-' || unit == units.end() || !CheckedMul(number, unit->second, &result)) {
    Fail("'" + word + "' is not such a number");
  }
  return result;
}

}  // namespace penstock::fake_driver
