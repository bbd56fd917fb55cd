#include "transport/event_loop.h"

#include <pthread.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstring>
#include <system_error>
#include <utility>

#include "base/clock.h"

namespace penstock::transport {
namespace {

// Taken from the kernel in one call; the others come with the next turn.
constexpr size_t kMostEvents = 256;
constexpr int64_t kNsPerMs = 1'000'000;

Status SystemError(const char* what) { return Status(StatusCode::kInternal, std::string(what) + ": " + std::strerror(errno)); }

}  // namespace

Result<std::unique_ptr<EventLoop>> EventLoop::Start(const std::string& thread_name) {
  FileDescriptor epoll(epoll_create1(EPOLL_CLOEXEC));
  if (!epoll.ok()) return SystemError("no epoll descriptor for a loop");
  FileDescriptor wake(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!wake.ok()) return SystemError("no event descriptor for a loop");
  // Every write to it is an edge, so that it need not be read; no loop lives long enough to fill its 64 bits.
  epoll_event event{};
  event.events = EPOLLIN | EPOLLET;
  event.data.ptr = nullptr;
  if (epoll_ctl(epoll.get(), EPOLL_CTL_ADD, wake.get(), &event) != 0) return SystemError("a loop cannot watch its event descriptor");
  std::unique_ptr<EventLoop> loop(new EventLoop(std::move(epoll), std::move(wake)));
  try {
    loop->thread_ = std::thread([raw = loop.get(), thread_name] {
      pthread_setname_np(pthread_self(), thread_name.c_str());
      raw->Run();
    });
  } catch (const std::system_error& error) {
    return Status(StatusCode::kInternal, std::string("no thread for a loop: ") + error.what());
  }
  return loop;
}

EventLoop::EventLoop(FileDescriptor epoll, FileDescriptor wake)
    : epoll_(std::move(epoll)), wake_(std::move(wake)), now_ns_(MonotonicNs()) {}

EventLoop::~EventLoop() {
  Stop();
  DestroyRetired();
}

void EventLoop::Stop() {
  // Destroyed last: what goes with them may hold the last reference to whoever owns this loop.
  std::vector<std::function<void()>> left;
  const std::lock_guard<std::mutex> join_lock(join_mutex_);
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    stopping_ = true;
  }
  if (!thread_.joinable()) return;
  eventfd_write(wake_.get(), 1);
  thread_.join();
  const std::lock_guard<std::mutex> lock(mutex_);
  left.swap(tasks_);
}

void EventLoop::Post(std::function<void()> task) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (stopping_) return;
    tasks_.push_back(std::move(task));
    if (is_awake_) return;
    is_awake_ = true;
  }
  eventfd_write(wake_.get(), 1);
}

Status EventLoop::Watch(int fd, uint32_t events, EventHandler* handler) {
  epoll_event event{};
  event.events = events;
  event.data.ptr = handler;
  if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0) return SystemError("a loop cannot watch a connection");
  return Status::Ok();
}

void EventLoop::Rewatch(int fd, uint32_t events, EventHandler* handler) {
  epoll_event event{};
  event.events = events;
  event.data.ptr = handler;
  epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, fd, &event);
}

void EventLoop::Forget(int fd) { epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr); }

void EventLoop::AtTurnEnd(EventHandler* handler) {
  if (handler->is_listed_) return;
  handler->is_listed_ = true;
  (handler->ended_turn_ == turn_ ? at_next_turn_end_ : at_turn_end_).push_back(handler);
}

void EventLoop::Retire(std::unique_ptr<EventHandler> owned) {
  owned->is_retired_ = true;
  retired_.push_back(std::move(owned));
}

void EventLoop::Run() {
  std::array<epoll_event, kMostEvents> events;
  while (!stopping_) {
    const int count = epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), WaitMs());
    if (stopping_) break;
    now_ns_ = MonotonicNs();
    for (int i = 0; i < count; ++i) {
      const epoll_event& event = events[static_cast<size_t>(i)];
      if (event.data.ptr != nullptr) static_cast<EventHandler*>(event.data.ptr)->OnReady(event.events);
    }
    FireTimers();
    RunTasks();
    EndTurn();
  }
}

int EventLoop::WaitMs() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    is_awake_ = !tasks_.empty();
    if (is_awake_) return 0;
  }
  if (!at_turn_end_.empty()) return 0;
  if (timers_.empty()) return -1;
  const int64_t left_ns = timers_.begin()->first - MonotonicNs();
  if (left_ns <= 0) return 0;
  return static_cast<int>(std::min<int64_t>((left_ns - 1) / kNsPerMs + 1, INT_MAX));
}

void EventLoop::FireTimers() {
  // Ends: whatever is set meanwhile is set for later than now_ns_.
  while (!timers_.empty() && timers_.begin()->first <= now_ns_) {
    Timer* const timer = timers_.begin()->second;
    timers_.erase(timers_.begin());
    timer->Due(now_ns_);
  }
}

void EventLoop::RunTasks() {
  std::vector<std::function<void()>> tasks;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    // What is posted from now on is found before the loop waits.
    is_awake_ = true;
    tasks.swap(tasks_);
  }
  for (std::function<void()>& task : tasks) {
    task();
    task = nullptr;  // what it holds goes before the next one runs
  }
}

void EventLoop::EndTurn() {
  // By number: the list grows while handlers ask for others.
  for (size_t i = 0; i < at_turn_end_.size(); ++i) {
    EventHandler* const handler = at_turn_end_[i];
    handler->is_listed_ = false;
    handler->ended_turn_ = turn_;
    if (!handler->is_retired_) handler->OnTurnEnd();
  }
  at_turn_end_.clear();
  at_turn_end_.swap(at_next_turn_end_);
  // Whoever is asked for by those that go now belongs to the next turn.
  ++turn_;
  DestroyRetired();
}

void EventLoop::DestroyRetired() {
  // Whoever goes may retire others.
  while (!retired_.empty()) {
    std::vector<std::unique_ptr<EventHandler>> going;
    going.swap(retired_);
    const auto is_retired = [](const EventHandler* handler) { return handler->is_retired_; };
    at_turn_end_.erase(std::remove_if(at_turn_end_.begin(), at_turn_end_.end(), is_retired), at_turn_end_.end());
  }
}

void Timer::SetAt(int64_t at_ns) {
  // Never in the turn that goes on: a timer that sets itself to a time that has passed must not keep the loop from anything else.
  at_ns_ = std::max(at_ns, loop_->now_ns_ + 1);
  if (is_listed_ && listed_ns_ <= at_ns_) return;
  Remove();
  Insert(at_ns_);
}

void Timer::Insert(int64_t at_ns) {
  entry_ = loop_->timers_.emplace(at_ns, this);
  listed_ns_ = at_ns;
  is_listed_ = true;
}

void Timer::Remove() {
  if (is_listed_) loop_->timers_.erase(entry_);
  is_listed_ = false;
}

void Timer::Due(int64_t now_ns) {
  is_listed_ = false;
  if (at_ns_ == 0) return;
  if (at_ns_ > now_ns) {
    Insert(at_ns_);
    return;
  }
  at_ns_ = 0;
  fire_();
}

}  // namespace penstock::transport
