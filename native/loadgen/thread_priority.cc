#include "loadgen/thread_priority.h"

#include <pthread.h>
#include <sched.h>

namespace penstock::loadgen {

bool PreferThisThread(size_t senders) {
  cpu_set_t allowed;
  if (sched_getaffinity(0, sizeof allowed, &allowed) != 0) return false;
  if (static_cast<size_t>(CPU_COUNT(&allowed)) <= senders) return false;
  sched_param priority{};
  priority.sched_priority = 1;
  return pthread_setschedparam(pthread_self(), SCHED_FIFO, &priority) == 0;
}

}  // namespace penstock::loadgen
