// Numbers between JSON text and typed memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "base/data_type.h"
#include "base/status.h"

namespace penstock::codec {

// Parses one JSON number at [text, end) as element type `dtype` (any but BOOL and BYTES) and writes it to `destination` (DataTypeSize bytes).
// Returns the first byte after the number, or null when the text is not a JSON number, or is out of range or not whole for an integer
// type; `*why` then says which in a few words. Floats are correctly rounded (to nearest, ties to even) from the decimal text; text that
// overflows a float type is out of range; FP16 and BF16 are rounded from the decimal text's nearest double.
const char* ParseNumber(const char* text, const char* end, DataType dtype, uint8_t* destination, const char** why);

// Appends the shortest text that reads back as the same value. False for NaN and infinity (nothing is appended).
bool AppendNumber(const uint8_t* element, DataType dtype, std::string* out);

// Appends it in decimal.
void AppendInteger(int64_t value, std::string* out);

float HalfToFloat(uint16_t bits);
float BrainToFloat(uint16_t bits);
uint16_t DoubleToHalf(double value);
uint16_t DoubleToBrain(double value);

}  // namespace penstock::codec
