// A connection of a worker and its socket, which may be closed and opened again. Knows neither requests nor the time. One thread.
#pragma once

#include <sys/socket.h>

#include <memory>
#include <utility>
#include <vector>

#include "loadgen/connection.h"
#include "transport/file_descriptor.h"

namespace penstock::loadgen {

struct ServerAddress {
  sockaddr_storage bytes{};
  socklen_t size = 0;
};

class Line {
 public:
  // `epoll`, which outlives it, tells of its socket; the data of such an event is the line.
  Line(std::unique_ptr<Connection> connection, const transport::FileDescriptor* epoll)
      : connection_(std::move(connection)), epoll_(*epoll) {}
  Line(const Line&) = delete;  // epoll keeps its address
  Line& operator=(const Line&) = delete;

  // False with errno when it fails at once. Else it goes on connecting.
  bool Open(const ServerAddress& address);
  // Blocks until it is connected. The error number; 0 = it is.
  int AwaitConnected() const;
  bool is_open() const { return socket_.ok(); }
  // What is in flight ends like this.
  void Close(Outcome outcome);

  // Hands the socket what it takes; asks epoll to tell when it takes more. One that is not connected yet takes nothing. False: it is to be
  // closed.
  bool Flush();
  // Hands the connection what has come, or that nothing more will. False: it is to be closed.
  bool Receive(std::vector<char>* buffer);

  Connection& connection() { return *connection_; }

  bool is_listed = false;     // of the worker's lines that take a request
  bool is_unflushed = false;  // it has taken some in this turn that are to leave at its end

 private:
  void Await(bool room);

  const std::unique_ptr<Connection> connection_;
  const transport::FileDescriptor& epoll_;
  transport::FileDescriptor socket_;
  bool awaits_room_ = false;  // epoll tells when the socket takes more, or has been connected
};

}  // namespace penstock::loadgen
