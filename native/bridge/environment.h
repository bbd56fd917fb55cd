// What the addon keeps for one JavaScript environment (the main thread or a worker).
#pragma once

#include <napi.h>

namespace penstock::bridge {

struct Environment {
  Napi::FunctionReference session_class;
  Napi::FunctionReference version_class;
  Napi::FunctionReference sink_class;
  Napi::FunctionReference listener_class;
  Napi::FunctionReference connections_class;
  Napi::FunctionReference front_end_class;
  Napi::FunctionReference completion_maker;
};

}  // namespace penstock::bridge
