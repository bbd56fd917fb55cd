// What the addon keeps for one JavaScript environment (the main thread or a worker).
#pragma once

#include <napi.h>

namespace penstock::bridge {

struct Environment {
  Napi::FunctionReference session_class;
  Napi::FunctionReference version_class;
  Napi::FunctionReference sink_class;
};

}  // namespace penstock::bridge
