#include "loadgen/thread_priority.h"

#include <gtest/gtest.h>
#include <pthread.h>
#include <sched.h>

#include <thread>

namespace penstock::loadgen {
namespace {

int PolicyOfThisThread() {
  int policy = -1;
  sched_param priority{};
  pthread_getschedparam(pthread_self(), &policy, &priority);
  return policy;
}

TEST(ThreadPriority, SaysWhatTheSystemMadeOfIt) {
  bool preferred = false;
  int policy = -1;
  std::thread([&] {
    preferred = PreferThisThread(0);
    policy = PolicyOfThisThread();
  }).join();
  EXPECT_EQ(policy, preferred ? SCHED_FIFO : SCHED_OTHER);
}

TEST(ThreadPriority, LeavesACpuToTheServer) {
  bool preferred = true;
  int policy = -1;
  std::thread([&] {
    preferred = PreferThisThread(CPU_SETSIZE);
    policy = PolicyOfThisThread();
  }).join();
  EXPECT_FALSE(preferred);
  EXPECT_EQ(policy, SCHED_OTHER);
}

}  // namespace
}  // namespace penstock::loadgen
