// Pieces of error messages, bounded whatever a client sends.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "serving/model_version.h"

namespace penstock::serving {

// `text`, cut (between characters, with "..." added) when it is long: a name can be as large as a message.
std::string Clipped(std::string_view text);

// The same in double quotes.
std::string Quoted(std::string_view text);

// "[-1,8,8]"
std::string ShapeText(const std::vector<int64_t>& dims);

// "\"image\", \"mask\""; the first few of a long list.
std::string NameList(const std::vector<ApiTensor>& tensors);

}  // namespace penstock::serving
