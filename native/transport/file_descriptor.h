// The owner of a file descriptor.
#pragma once

#include <unistd.h>

#include <utility>

namespace penstock::transport {

// Closes it when it goes. Moves, does not copy.
class FileDescriptor {
 public:
  FileDescriptor() = default;
  explicit FileDescriptor(int fd) : fd_(fd) {}
  FileDescriptor(FileDescriptor&& other) noexcept : fd_(other.Release()) {}
  FileDescriptor& operator=(FileDescriptor&& other) noexcept {
    Reset(other.Release());
    return *this;
  }
  ~FileDescriptor() { Reset(); }

  bool ok() const { return fd_ >= 0; }
  // -1 when there is none.
  int get() const { return fd_; }
  // Whoever gets it owns it.
  int Release() { return std::exchange(fd_, -1); }
  void Reset(int fd = -1) {
    const int old = std::exchange(fd_, fd);
    if (old >= 0) close(old);
  }

 private:
  int fd_ = -1;
};

}  // namespace penstock::transport
