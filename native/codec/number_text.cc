#include "codec/number_text.h"

#include <charconv>
#include <cmath>
#include <cstring>

#include "codec/number_parse.h"

namespace penstock::codec {
namespace {

constexpr int kDoubleFraction = 52;
constexpr int kDoubleBias = 1023;

// Rounds to nearest, ties to even, to a 16-bit float of the given layout: 1 sign bit, exponent, fraction.
template <int kExponentBits, int kFractionBits>
uint16_t RoundTo16Bits(double value) {
  constexpr int kBias = (1 << (kExponentBits - 1)) - 1;
  constexpr uint64_t kInfinity = ((1ull << kExponentBits) - 1) << kFractionBits;
  uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof(bits));
  const uint64_t sign = bits >> 63 << 15;
  const int raw_exponent = static_cast<int>(bits >> kDoubleFraction & 0x7FF);
  const uint64_t fraction = bits & ((1ull << kDoubleFraction) - 1);
  const auto with_sign = [sign](uint64_t magnitude) { return static_cast<uint16_t>(sign | magnitude); };
  if (raw_exponent == 0x7FF) {
    // A NaN keeps the top of its payload, and its quiet bit set so that it cannot turn into infinity.
    const uint64_t payload = fraction >> (kDoubleFraction - kFractionBits) | 1ull << (kFractionBits - 1);
    return with_sign(fraction == 0 ? kInfinity : kInfinity | payload);
  }
  if (raw_exponent == 0) return with_sign(0);  // far below the smallest value of either layout

  int exponent = raw_exponent - kDoubleBias + kBias;
  int shift = kDoubleFraction - kFractionBits;
  if (exponent <= 0) {  // subnormal in the target: the implicit bit becomes an ordinary one
    shift += 1 - exponent;
    exponent = 0;
  }
  if (shift > kDoubleFraction + 1) return with_sign(0);
  const uint64_t full = fraction | 1ull << kDoubleFraction;
  const uint64_t kept = full >> shift;
  const uint64_t rest = full & ((1ull << shift) - 1);
  const uint64_t half = 1ull << (shift - 1);
  const uint64_t up = rest > half || (rest == half && (kept & 1) != 0) ? 1 : 0;
  // Rounding up may carry into the exponent, which is just what the next value's encoding looks like.
  const uint64_t base = exponent == 0 ? 0 : (static_cast<uint64_t>(exponent) - 1) << kFractionBits;
  const uint64_t magnitude = base + kept + up;
  return with_sign(magnitude > kInfinity ? kInfinity : magnitude);
}

// Decimal exponent of the first digit that is not zero: 0 for 1 to 9.99, -1 for 0.1. The number must not be zero.
int64_t DecimalExponent(const char* text, const NumberScan& scan) {
  int64_t before = scan.digit_count;  // digits from here to the last one
  for (const char* at = text; at < scan.stop; ++at) {
    if (*at >= '1' && *at <= '9') break;
    if (*at == '0') --before;
  }
  return before - 1 + scan.exponent;
}

template <typename Float>
bool SlowFloatOf(const char* text, const NumberScan& scan, Float* value) {
  const std::from_chars_result result = std::from_chars(text, scan.stop, *value);
  if (result.ec == std::errc()) return std::isfinite(*value);
  if (DecimalExponent(text, scan) >= 0) return false;
  *value = scan.negative ? -Float{0} : Float{0};
  return true;
}

template <typename Integer>
const char* StoreInteger(const char* text, const char* end, uint8_t* destination, const char** why) {
  Integer value = 0;
  const char* const stop = ParseInteger(text, end, &value, why);
  if (stop != nullptr) std::memcpy(destination, &value, sizeof(value));
  return stop;
}

template <typename Float>
const char* StoreFloat(const char* text, const char* end, uint8_t* destination, const char** why) {
  Float value = 0;
  const char* const stop = ParseFloating(text, end, &value, why);
  if (stop != nullptr) std::memcpy(destination, &value, sizeof(value));
  return stop;
}

// `infinity`: the positive one of the layout; what rounds to it has overflowed.
const char* Store16Bits(const char* text, const char* end, uint16_t (*round)(double), uint16_t infinity, uint8_t* destination,
                        const char** why) {
  double value = 0;
  const char* const stop = ParseFloating(text, end, &value, why);
  if (stop == nullptr) return nullptr;
  const uint16_t bits = round(value);
  if ((bits & 0x7FFF) == infinity) return nullptr;  // *why says out of range already
  std::memcpy(destination, &bits, sizeof(bits));
  return stop;
}

template <typename T>
T Load(const uint8_t* element) {
  T value{};
  std::memcpy(&value, element, sizeof(value));
  return value;
}

template <typename T>
bool AppendValue(T value, std::string* out) {
  if constexpr (std::is_floating_point_v<T>) {
    if (!std::isfinite(value)) return false;
  }
  char text[32];  // the longest shortest double has 24 characters
  out->append(text, std::to_chars(text, text + sizeof(text), value).ptr);
  return true;
}

}  // namespace

bool SlowFloat(const char* text, const NumberScan& scan, float* value) { return SlowFloatOf(text, scan, value); }
bool SlowFloat(const char* text, const NumberScan& scan, double* value) { return SlowFloatOf(text, scan, value); }

const char* ParseNumber(const char* text, const char* end, DataType dtype, uint8_t* destination, const char** why) {
  switch (dtype) {
    case DataType::kUint8:
      return StoreInteger<uint8_t>(text, end, destination, why);
    case DataType::kUint16:
      return StoreInteger<uint16_t>(text, end, destination, why);
    case DataType::kUint32:
      return StoreInteger<uint32_t>(text, end, destination, why);
    case DataType::kUint64:
      return StoreInteger<uint64_t>(text, end, destination, why);
    case DataType::kInt8:
      return StoreInteger<int8_t>(text, end, destination, why);
    case DataType::kInt16:
      return StoreInteger<int16_t>(text, end, destination, why);
    case DataType::kInt32:
      return StoreInteger<int32_t>(text, end, destination, why);
    case DataType::kInt64:
      return StoreInteger<int64_t>(text, end, destination, why);
    case DataType::kFp32:
      return StoreFloat<float>(text, end, destination, why);
    case DataType::kFp64:
      return StoreFloat<double>(text, end, destination, why);
    case DataType::kFp16:
      return Store16Bits(text, end, DoubleToHalf, 0x7C00, destination, why);
    case DataType::kBf16:
      return Store16Bits(text, end, DoubleToBrain, 0x7F80, destination, why);
    default:
      *why = "is not of a type that JSON numbers can carry";
      return nullptr;
  }
}

void AppendInteger(int64_t value, std::string* out) { AppendValue(value, out); }

bool AppendNumber(const uint8_t* element, DataType dtype, std::string* out) {
  switch (dtype) {
    case DataType::kUint8:
      return AppendValue(Load<uint8_t>(element), out);
    case DataType::kUint16:
      return AppendValue(Load<uint16_t>(element), out);
    case DataType::kUint32:
      return AppendValue(Load<uint32_t>(element), out);
    case DataType::kUint64:
      return AppendValue(Load<uint64_t>(element), out);
    case DataType::kInt8:
      return AppendValue(Load<int8_t>(element), out);
    case DataType::kInt16:
      return AppendValue(Load<int16_t>(element), out);
    case DataType::kInt32:
      return AppendValue(Load<int32_t>(element), out);
    case DataType::kInt64:
      return AppendValue(Load<int64_t>(element), out);
    case DataType::kFp32:
      return AppendValue(Load<float>(element), out);
    case DataType::kFp64:
      return AppendValue(Load<double>(element), out);
    case DataType::kFp16:
      return AppendValue(HalfToFloat(Load<uint16_t>(element)), out);
    case DataType::kBf16:
      return AppendValue(BrainToFloat(Load<uint16_t>(element)), out);
    default:
      return false;
  }
}

float HalfToFloat(uint16_t bits) {
  const int exponent = bits >> 10 & 31;
  const int fraction = bits & 0x3FF;
  const float sign = (bits & 0x8000) != 0 ? -1.0f : 1.0f;
  if (exponent == 31) return std::copysign(fraction == 0 ? HUGE_VALF : std::nanf(""), sign);
  if (exponent == 0) return sign * std::ldexp(static_cast<float>(fraction), -24);
  return sign * std::ldexp(static_cast<float>(fraction | 0x400), exponent - 25);
}

float BrainToFloat(uint16_t bits) {
  const uint32_t wide = static_cast<uint32_t>(bits) << 16;
  float value = 0;
  std::memcpy(&value, &wide, sizeof(value));
  return value;
}

uint16_t DoubleToHalf(double value) { return RoundTo16Bits<5, 10>(value); }
uint16_t DoubleToBrain(double value) { return RoundTo16Bits<8, 7>(value); }

}  // namespace penstock::codec
