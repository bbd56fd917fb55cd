// NativeVersionSpec of src/bridge/addon.ts, in C++.
#pragma once

#include <vector>

#include "bridge/js_values.h"
#include "serving/model_version.h"
#include "session/converting_session.h"

namespace penstock::bridge {

// Complaints are left in `reader`, whose status must be looked at before the result. Neither warm-up nor spinning is in it.
serving::VersionSpec ReadVersionSpec(ObjectReader& reader);
// Its `conversions`, by the same rule.
std::vector<session::NamedConversion> ReadConversions(ObjectReader& reader);

}  // namespace penstock::bridge
