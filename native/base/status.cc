#include "base/status.h"

namespace penstock {

const char* StatusCodeName(StatusCode code) {
  switch (code) {
#define PENSTOCK_STATUS_NAME(number, name, text) \
  case StatusCode::name:                         \
    return text;
    PENSTOCK_STATUS_TABLE(PENSTOCK_STATUS_NAME)
#undef PENSTOCK_STATUS_NAME
  }
  return "ERR_INTERNAL";
}

}  // namespace penstock
