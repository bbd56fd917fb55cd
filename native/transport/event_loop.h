// A thread that waits for sockets, times and tasks of other threads, and does one thing after the other.
//
// A turn: what epoll reports, then the timers that are due, then the tasks, then whoever asked for the end of the turn. What happened
// together is answered together, so that one system call takes it all.
#pragma once

#include <sys/epoll.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/status.h"
#include "transport/file_descriptor.h"

namespace penstock::transport {

// What a loop watches a descriptor for. Destroyed by EventLoop::Retire or after the loop has stopped, never in its own call.
class EventHandler {
 public:
  virtual ~EventHandler() = default;
  // [loop thread] EPOLLIN, EPOLLOUT, EPOLLRDHUP, EPOLLHUP, EPOLLERR, as epoll gives them. One that has forgotten its descriptor may get
  // this once more in the same turn, and ignores it.
  virtual void OnReady(uint32_t events) = 0;
  // [loop thread] What AtTurnEnd asked for.
  virtual void OnTurnEnd() {}

 private:
  friend class EventLoop;
  bool is_listed_ = false;   // for the end of this turn or the next one
  bool is_retired_ = false;
  uint64_t ended_turn_ = 0;  // the last one whose end it was called at
};

class EventLoop {
 public:
  // At most 15 characters. kInternal when the system has no thread or descriptor left.
  static Result<std::unique_ptr<EventLoop>> Start(const std::string& thread_name);
  // Stops, and destroys what was retired since.
  ~EventLoop();
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  // [any thread but its own] Ends the thread after the turn that goes on; destroys what was posted and has not run. May be repeated.
  void Stop();

  // [any thread] Runs `task` on the loop's thread, in the order of the calls. One that comes after Stop never runs.
  void Post(std::function<void()> task);

  // All of the following: [loop thread, or any other after Stop].

  // `handler` is kept until Forget, whose descriptor must not be closed before.
  Status Watch(int fd, uint32_t events, EventHandler* handler);
  void Rewatch(int fd, uint32_t events, EventHandler* handler);
  void Forget(int fd);

  // OnTurnEnd is called once at the end of this turn, however often it was asked for. One that has had it already gets it in the next
  // turn, which then comes at once. A handler that has been retired is not called.
  void AtTurnEnd(EventHandler* handler);

  // Destroys `owned` when nothing of this turn can reach it any more.
  void Retire(std::unique_ptr<EventHandler> owned);

  // Monotonic, taken at the begin of the turn.
  int64_t now_ns() const { return now_ns_; }

 private:
  friend class Timer;
  using Timers = std::multimap<int64_t, class Timer*>;

  EventLoop(FileDescriptor epoll, FileDescriptor wake);
  void Run();
  void FireTimers();
  void RunTasks();
  void EndTurn();
  int WaitMs();
  void DestroyRetired();

  const FileDescriptor epoll_;
  const FileDescriptor wake_;  // an eventfd
  std::thread thread_;
  std::mutex join_mutex_;
  std::atomic<bool> stopping_{false};  // written under mutex_

  // Loop thread only.
  int64_t now_ns_ = 0;
  uint64_t turn_ = 1;
  Timers timers_;
  std::vector<EventHandler*> at_turn_end_;
  std::vector<EventHandler*> at_next_turn_end_;  // have had OnTurnEnd in this turn and asked again
  std::vector<std::unique_ptr<EventHandler>> retired_;

  std::mutex mutex_;  // guards all below
  std::vector<std::function<void()>> tasks_;
  bool is_awake_ = false;  // looks for tasks before it waits, or a wake-up is under way: no other is needed
};

// [loop thread] Calls back once at a time; to within a millisecond, never early. Setting it later again costs nothing until it would have
// fired: timeouts are put off with every byte.
class Timer {
 public:
  Timer(EventLoop* loop, std::function<void()> fire) : loop_(loop), fire_(std::move(fire)) {}
  ~Timer() { Remove(); }
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;

  // Monotonic nanoseconds; takes the place of the time that was set before. One that has passed fires in the next turn.
  void SetAt(int64_t at_ns);
  void Cancel() { at_ns_ = 0; }
  bool is_set() const { return at_ns_ != 0; }

 private:
  friend class EventLoop;
  void Insert(int64_t at_ns);
  void Remove();
  // [loop] Its entry has come up: fires, or moves to the time that was set since.
  void Due(int64_t now_ns);

  EventLoop* const loop_;
  const std::function<void()> fire_;
  int64_t at_ns_ = 0;      // 0 = not set
  bool is_listed_ = false;
  // Where it stands among the loop's timers, not after at_ns_ if that is set; only when is_listed_.
  int64_t listed_ns_ = 0;
  EventLoop::Timers::iterator entry_;
};

}  // namespace penstock::transport
