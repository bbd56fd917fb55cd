// Inputs that clients send in a small type and the model wants as FP32: y = fma(x, scale, offset), with a scale and an offset per channel.
//
// This is the version for the CPU; kernels.h has the one for GPUs. Both give the same bits: each is one exact decoding, one fused
// multiply-add and one rule for NaN.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/data_type.h"
#include "base/status.h"

namespace penstock::device {

struct InputConversion {
  DataType from = DataType::kUint8;  // kUint8, kFp16 or kFp32
  // Per channel, as many as there are channels; one for all of them alike.
  std::vector<float> scale;
  std::vector<float> offset;
  // Elements that follow each other within one channel: the product of the dimensions after the channel's. Element i belongs to channel
  // (i / inner) % channels. Means nothing with one channel.
  int64_t inner = 1;
};

// kModelConfig, with the reason, for a conversion that cannot be done: another type, no channel, tables of different lengths, no inner.
Status CheckConversion(const InputConversion& conversion);

// [any thread] `from` holds `elements` of the conversion's type and begins at a channel 0; `to` has room for as many floats. `from` need
// not be aligned. Allocates nothing. A NaN comes out as 0x7FC00000 whatever its bits were. The conversion passes CheckConversion.
void ConvertInput(const InputConversion& conversion, const uint8_t* from, size_t elements, float* to);

}  // namespace penstock::device
