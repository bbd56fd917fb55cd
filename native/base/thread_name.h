// Names of threads, as `top -H` and /proc/PID/task/TID/comm show them.
#pragma once

#include <pthread.h>

namespace penstock {

// Threads take the name of the one that creates them: this names those of a library that offers no way to do so. The calling thread has its
// own name again afterwards.
class ThreadNameForChildren {
 public:
  // At most 15 characters.
  explicit ThreadNameForChildren(const char* name) {
    pthread_getname_np(pthread_self(), own_, sizeof own_);
    pthread_setname_np(pthread_self(), name);
  }
  ~ThreadNameForChildren() { pthread_setname_np(pthread_self(), own_); }
  ThreadNameForChildren(const ThreadNameForChildren&) = delete;
  ThreadNameForChildren& operator=(const ThreadNameForChildren&) = delete;

 private:
  char own_[16] = "";
};

}  // namespace penstock
