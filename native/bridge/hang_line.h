// The last line of a process that the watchdog ends.
#pragma once

#include "pipeline/heartbeat.h"

namespace penstock::bridge {

// [any thread] Writes it to standard error in the form of the log (src/telemetry/log.ts): no JavaScript thread may be waited for.
void WriteHangLine(const pipeline::HungRun& run);

}  // namespace penstock::bridge
