// Which calls are answered natively, by the fields of their heads.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "frontend/grpc_stream.h"
#include "frontend/grpc_upstream.h"

namespace penstock::frontend {

// The first of that name; null when there is none.
const HeaderField* FindField(const std::vector<HeaderField>& fields, std::string_view name);

// A ModelInfer about whose head nothing is unusual. `decompresses`: whether messages may be compressed.
std::optional<PlainInfer> ReadPlainInfer(const std::vector<HeaderField>& fields, bool decompresses);

}  // namespace penstock::frontend
