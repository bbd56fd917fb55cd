// Which calls are answered natively, by the fields of their heads.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "frontend/grpc_upstream.h"

namespace penstock::frontend {

// The first of that name; null when there is none.
const HeaderField* FindField(const std::vector<HeaderField>& fields, std::string_view name);

// A ModelInfer about whose head nothing is unusual. `timeout_ns`: since now; 0 = none.
bool IsPlainInfer(const std::vector<HeaderField>& fields, int64_t* timeout_ns);

}  // namespace penstock::frontend
