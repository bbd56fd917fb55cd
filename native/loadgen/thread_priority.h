// Priority of the threads that send: one that has to wait for the server it measures, on the same machine, sends late.
#pragma once

#include <cstddef>

namespace penstock::loadgen {

// Puts the calling thread before all ordinary ones (SCHED_FIFO, priority 1), if this process may (CAP_SYS_NICE, or RLIMIT_RTPRIO) and
// `senders` such threads leave a CPU to the others. Returns whether it did.
bool PreferThisThread(size_t senders);

}  // namespace penstock::loadgen
