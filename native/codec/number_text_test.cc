#include "codec/number_text.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <type_traits>
#include <vector>

namespace penstock::codec {
namespace {

// The number and where it ended; `why` where it was refused.
template <typename T>
struct Parsed {
  T value{};
  ptrdiff_t length = -1;
  std::string why;
};

template <typename T>
Parsed<T> Parse(const std::string& text, DataType dtype) {
  // A copy without a terminator, so that a sanitizer sees reads past the end.
  const std::vector<char> exact(text.begin(), text.end());
  Parsed<T> parsed;
  const char* why = "";
  const char* stop = ParseNumber(exact.data(), exact.data() + exact.size(), dtype, reinterpret_cast<uint8_t*>(&parsed.value), &why);
  if (stop == nullptr) {
    parsed.why = why;
  } else {
    parsed.length = stop - exact.data();
  }
  return parsed;
}

template <typename T>
uint64_t BitsOf(T value) {
  uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof(value));
  return bits;
}

// Both float types against the C library, which rounds correctly.
void ExpectLikeStrtod(const std::string& text) {
  const Parsed<double> wide = Parse<double>(text, DataType::kFp64);
  const double exact_wide = std::strtod(text.c_str(), nullptr);
  if (std::isinf(exact_wide)) {
    EXPECT_EQ(wide.why, "is out of range") << text;
  } else {
    EXPECT_EQ(BitsOf(wide.value), BitsOf(exact_wide)) << text;
    EXPECT_EQ(wide.length, static_cast<ptrdiff_t>(text.size())) << text;
  }
  const Parsed<float> narrow = Parse<float>(text, DataType::kFp32);
  const float exact_narrow = std::strtof(text.c_str(), nullptr);
  if (std::isinf(exact_narrow)) {
    EXPECT_EQ(narrow.why, "is out of range") << text;
  } else {
    EXPECT_EQ(BitsOf(narrow.value), BitsOf(exact_narrow)) << text;
    EXPECT_EQ(narrow.length, static_cast<ptrdiff_t>(text.size())) << text;
  }
}

std::string Print(const char* format, double value) {
  char text[512];
  std::snprintf(text, sizeof(text), format, value);
  return text;
}

TEST(NumberText, RoundsRandomDecimalsAsTheCLibraryDoes) {
  std::mt19937_64 random(7);
  for (int i = 0; i < 100000; ++i) {
    std::string text = random() % 2 == 0 ? "-" : "";
    const int whole = static_cast<int>(random() % 12);
    text += static_cast<char>('0' + (whole == 0 ? 0 : 1 + random() % 9));
    for (int k = 1; k < whole; ++k) text += static_cast<char>('0' + random() % 10);
    const int fraction = static_cast<int>(random() % 14);
    if (fraction > 0) text += '.';
    for (int k = 0; k < fraction; ++k) text += static_cast<char>('0' + random() % 10);
    if (random() % 3 == 0) text += "e" + std::to_string(static_cast<int>(random() % 700) - 350);
    ExpectLikeStrtod(text);
  }
}

TEST(NumberText, RoundsEveryShapeOfRandomDoubleAndFloatAsTheCLibraryDoes) {
  std::mt19937_64 random(8);
  for (int i = 0; i < 30000; ++i) {
    const uint64_t bits = random();
    double wide = 0;
    std::memcpy(&wide, &bits, sizeof(wide));
    float narrow = 0;
    std::memcpy(&narrow, &bits, sizeof(narrow));
    for (const double value : {wide, static_cast<double>(narrow)}) {
      if (!std::isfinite(value)) continue;
      ExpectLikeStrtod(Print("%.17g", value));
      ExpectLikeStrtod(Print("%.9g", value));
      ExpectLikeStrtod(Print("%.25e", value));
    }
  }
}

TEST(NumberText, RoundsDecimalsInTheMiddleBetweenTwoFloatsToEven) {
  std::mt19937_64 random(9);
  for (int i = 0; i < 30000; ++i) {
    // Near 1, where the decimal is short enough for the quick way, and everywhere else.
    const uint32_t bits =
        i % 2 == 0 ? 0x3F000000u + static_cast<uint32_t>(random() % 0x8000000u) : static_cast<uint32_t>(random() % 0x7F000000u);
    float low = 0;
    std::memcpy(&low, &bits, sizeof(low));
    const double middle = (static_cast<double>(low) + static_cast<double>(std::nextafterf(low, INFINITY))) / 2;
    const std::string exact = Print("%.160g", middle);  // all digits of the middle
    ExpectLikeStrtod(exact);
    if (exact.find('e') == std::string::npos && exact.find('.') != std::string::npos) ExpectLikeStrtod(exact + "0000000001");
    ExpectLikeStrtod(Print("%.16e", middle));
    ExpectLikeStrtod(Print("%.18e", std::nextafter(middle, 0.0)));
    ExpectLikeStrtod(Print("%.18e", std::nextafter(middle, INFINITY)));
  }
}

TEST(NumberText, RoundsOnceAndNotTwiceWhereADoubleWouldLandOnTheMiddle) {
  // 1 + 2^-24 is the middle between two floats; both texts are nearest to it as doubles.
  EXPECT_EQ(Parse<float>("1.00000005960464477539062500000001", DataType::kFp32).value, std::nextafterf(1.0f, 2.0f));
  EXPECT_EQ(Parse<float>("1.00000005960464477539062499999999", DataType::kFp32).value, 1.0f);
  EXPECT_EQ(Parse<float>("1.000000059604644775", DataType::kFp32).value, 1.0f);
  EXPECT_EQ(Parse<float>("1.000000059604644776", DataType::kFp32).value, std::nextafterf(1.0f, 2.0f));
  ExpectLikeStrtod("9007199254740993");
  ExpectLikeStrtod("9007199254740992.9");
  ExpectLikeStrtod("16777217");
}

TEST(NumberText, ReadsTheEdgesOfTheFloatRanges) {
  for (const char* text : {"0",
                           "-0",
                           "0.0",
                           "-0.0e5",
                           "0e999999999999",
                           "1e-400",
                           "-1e-400",
                           "1e400",
                           "-1e400",
                           "4.9e-324",
                           "2.4e-324",
                           "2.5e-324",
                           "2.2250738585072011e-308",
                           "1.7976931348623157e308",
                           "1.7976931348623159e308",
                           "3.4028234663852886e38",
                           "3.4028235677973366e38",
                           "3.4028235677973365e38",
                           "1.4e-45",
                           "7e-46",
                           "7.1e-46",
                           "1e-46",
                           "1e22",
                           "1e23",
                           "1e-22",
                           "1e-23",
                           "123456789012345678901234567890",
                           "0.00000000000000000000000000000000000000000000001",
                           "1e999999999999999999999",
                           "1e-999999999999999999999",
                           "0e-999999999999999999999"}) {
    ExpectLikeStrtod(text);
  }
  ExpectLikeStrtod("0." + std::string(400, '0') + "1e401");
  ExpectLikeStrtod("1" + std::string(400, '0') + "e-400");
  ExpectLikeStrtod("1" + std::string(400, '0'));
  EXPECT_TRUE(std::signbit(Parse<float>("-0.0", DataType::kFp32).value));
}

TEST(NumberText, RefusesEverythingThatIsNotAJsonNumber) {
  for (const char* text : {"",    "-",   "+1",  ".5",       "5.",        "5.e1", "-.5", "01",  "-01",   "00",   "1e",  "1e+", "1E-",
                           "nan", "NaN", "inf", "Infinity", "-Infinity", " 1",   "e5",  "--1", "\"1\"", "true", "1.e", "5.x"}) {
    for (const DataType dtype : {DataType::kFp32, DataType::kFp64, DataType::kInt64, DataType::kUint8, DataType::kFp16, DataType::kBf16}) {
      EXPECT_EQ(Parse<uint64_t>(text, dtype).why, "is not a JSON number") << text << " as " << DataTypeName(dtype);
    }
  }
}

TEST(NumberText, StopsAtTheFirstByteAfterTheNumber) {
  EXPECT_EQ(Parse<float>("1.5,2", DataType::kFp32).length, 3);
  EXPECT_EQ(Parse<float>("12345678]", DataType::kFp32).length, 8);
  EXPECT_EQ(Parse<float>("-1e5 ", DataType::kFp32).length, 4);
  EXPECT_EQ(Parse<int32_t>("7}", DataType::kInt32).length, 1);
  EXPECT_EQ(Parse<float>("0x", DataType::kFp32).length, 1);
}

template <typename T>
void ExpectExactRange(DataType dtype) {
  using Limits = std::numeric_limits<T>;
  EXPECT_EQ(Parse<T>(std::to_string(Limits::min()), dtype).value, Limits::min());
  EXPECT_EQ(Parse<T>(std::to_string(Limits::max()), dtype).value, Limits::max());
  EXPECT_EQ(Parse<T>("-0", dtype).value, 0);
  EXPECT_EQ(Parse<T>("-0", dtype).length, 2);
  // One past either end, by decimal arithmetic on the last digit (none of the limits ends in 9).
  std::string above = std::to_string(Limits::max());
  ++above.back();
  EXPECT_EQ(Parse<T>(above, dtype).why, "is out of range");
  std::string below = std::is_signed_v<T> ? std::to_string(Limits::min()) : "-0";
  ++below.back();
  EXPECT_EQ(Parse<T>(below, dtype).why, "is out of range");
  EXPECT_EQ(Parse<T>("100000000000000000000", dtype).why, "is out of range");
  EXPECT_EQ(Parse<T>("-99999999999999999999999999", dtype).why, "is out of range");
  for (const char* text : {"1.0", "1e3", "1E0", "0.5", "10e-1"}) {
    EXPECT_EQ(Parse<T>(text, dtype).why, "has a fraction or an exponent, which is not allowed") << text;
  }
  std::mt19937_64 random(10);
  for (int i = 0; i < 2000; ++i) {
    const T value = static_cast<T>(random() >> random() % 64);
    std::string text;
    ASSERT_TRUE(AppendNumber(reinterpret_cast<const uint8_t*>(&value), dtype, &text));
    EXPECT_EQ(text, std::to_string(value));
    EXPECT_EQ(Parse<T>(text, dtype).value, value) << text;
  }
}

TEST(NumberText, KeepsIntegersExactUpToTheEndsOfTheirRange) {
  ExpectExactRange<uint8_t>(DataType::kUint8);
  ExpectExactRange<uint16_t>(DataType::kUint16);
  ExpectExactRange<uint32_t>(DataType::kUint32);
  ExpectExactRange<uint64_t>(DataType::kUint64);
  ExpectExactRange<int8_t>(DataType::kInt8);
  ExpectExactRange<int16_t>(DataType::kInt16);
  ExpectExactRange<int32_t>(DataType::kInt32);
  ExpectExactRange<int64_t>(DataType::kInt64);
}

TEST(NumberText, BringsEveryHalfThroughTextUnchanged) {
  for (uint32_t bits = 0; bits <= 0xFFFF; ++bits) {
    const auto half = static_cast<uint16_t>(bits);
    std::string text;
    const bool finite = (half & 0x7C00) != 0x7C00;
    ASSERT_EQ(AppendNumber(reinterpret_cast<const uint8_t*>(&half), DataType::kFp16, &text), finite) << bits;
    if (!finite) {
      EXPECT_TRUE(text.empty());
      EXPECT_EQ(std::isnan(HalfToFloat(half)), (half & 0x3FF) != 0);
      EXPECT_EQ(std::isinf(HalfToFloat(half)), (half & 0x3FF) == 0);
      continue;
    }
    EXPECT_EQ(DoubleToHalf(HalfToFloat(half)), half);
    EXPECT_EQ(Parse<uint16_t>(text, DataType::kFp16).value, half) << text;
  }
  EXPECT_EQ(HalfToFloat(0x3C00), 1.0f);
  EXPECT_EQ(HalfToFloat(0xC000), -2.0f);
  EXPECT_EQ(HalfToFloat(0x7BFF), 65504.0f);
  EXPECT_EQ(HalfToFloat(0x0001), std::ldexp(1.0f, -24));
}

TEST(NumberText, BringsEveryBrainFloatThroughTextUnchanged) {
  for (uint32_t bits = 0; bits <= 0xFFFF; ++bits) {
    const auto brain = static_cast<uint16_t>(bits);
    std::string text;
    const bool finite = (brain & 0x7F80) != 0x7F80;
    ASSERT_EQ(AppendNumber(reinterpret_cast<const uint8_t*>(&brain), DataType::kBf16, &text), finite) << bits;
    if (!finite) continue;
    EXPECT_EQ(DoubleToBrain(BrainToFloat(brain)), brain);
    EXPECT_EQ(Parse<uint16_t>(text, DataType::kBf16).value, brain) << text;
  }
}

// Rounds at every middle between two neighbours: exactly there to even, and a hair to either side to the nearer one.
void ExpectRoundsToNearest(uint16_t (*round)(double), float (*widen)(uint16_t), uint16_t infinity) {
  for (uint16_t low = 0; low < infinity; ++low) {
    const auto high = static_cast<uint16_t>(low + 1);
    const double below = widen(low);
    // Past the largest value stands what would be next if the range went on.
    const double above = high < infinity ? widen(high) : 2 * below - widen(static_cast<uint16_t>(low - 1));
    const double middle = (below + above) / 2;
    const uint16_t even = low % 2 == 0 ? low : high;
    ASSERT_EQ(round(middle), even) << low;
    ASSERT_EQ(round(-middle), even | 0x8000) << low;
    ASSERT_EQ(round(std::nextafter(middle, 0.0)), low) << low;
    ASSERT_EQ(round(std::nextafter(middle, INFINITY)), high) << low;
  }
  EXPECT_EQ(round(INFINITY), infinity);
  EXPECT_EQ(round(-INFINITY), infinity | 0x8000);
  EXPECT_EQ(round(1e300), infinity);
  EXPECT_EQ(round(5e-324), 0);
  EXPECT_EQ(round(-0.0), 0x8000);
  EXPECT_TRUE(std::isnan(widen(round(NAN))));
}

TEST(NumberText, RoundsDoublesToHalfAndBrainFloatToNearestTiesToEven) {
  ExpectRoundsToNearest(DoubleToHalf, HalfToFloat, 0x7C00);
  ExpectRoundsToNearest(DoubleToBrain, BrainToFloat, 0x7F80);
}

TEST(NumberText, RefusesTextThatOverflowsA16BitFloat) {
  EXPECT_EQ(Parse<uint16_t>("65519.99", DataType::kFp16).value, 0x7BFF);
  EXPECT_EQ(Parse<uint16_t>("65520", DataType::kFp16).why, "is out of range");
  EXPECT_EQ(Parse<uint16_t>("-65520", DataType::kFp16).why, "is out of range");
  EXPECT_EQ(Parse<uint16_t>("3.4e38", DataType::kBf16).why, "is out of range");
  EXPECT_EQ(Parse<uint16_t>("-3.3e38", DataType::kBf16).value, DoubleToBrain(-3.3e38));
}

TEST(NumberText, WritesTheShortestTextThatReadsBackTheSame) {
  const auto text_of = [](auto value, DataType dtype) {
    std::string text;
    EXPECT_TRUE(AppendNumber(reinterpret_cast<const uint8_t*>(&value), dtype, &text));
    return text;
  };
  EXPECT_EQ(text_of(0.1f, DataType::kFp32), "0.1");
  EXPECT_EQ(text_of(0.1, DataType::kFp64), "0.1");
  EXPECT_EQ(text_of(-0.0f, DataType::kFp32), "-0");
  EXPECT_EQ(text_of(16777216.0f, DataType::kFp32), "16777216");
  std::mt19937_64 random(11);
  for (int i = 0; i < 50000; ++i) {
    const uint64_t bits = random();
    double wide = 0;
    std::memcpy(&wide, &bits, sizeof(wide));
    float narrow = 0;
    std::memcpy(&narrow, &bits, sizeof(narrow));
    if (!std::isfinite(wide) || !std::isfinite(narrow)) continue;
    EXPECT_EQ(BitsOf(Parse<double>(text_of(wide, DataType::kFp64), DataType::kFp64).value), BitsOf(wide));
    EXPECT_EQ(BitsOf(Parse<float>(text_of(narrow, DataType::kFp32), DataType::kFp32).value), BitsOf(narrow));
  }
}

TEST(NumberText, WritesNothingForNaNAndInfinity) {
  std::string text = "kept";
  for (const double value : {static_cast<double>(NAN), static_cast<double>(INFINITY), -static_cast<double>(INFINITY)}) {
    const auto narrow = static_cast<float>(value);
    EXPECT_FALSE(AppendNumber(reinterpret_cast<const uint8_t*>(&value), DataType::kFp64, &text));
    EXPECT_FALSE(AppendNumber(reinterpret_cast<const uint8_t*>(&narrow), DataType::kFp32, &text));
  }
  EXPECT_EQ(text, "kept");
}

}  // namespace
}  // namespace penstock::codec
