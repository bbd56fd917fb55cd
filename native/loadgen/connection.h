// A connection to the server as the worker's loop sees it: what it takes, what should leave, and which requests have ended. It knows
// neither its socket nor the time. One thread.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string_view>
#include <vector>

#include "loadgen/sender.h"
#include "loadgen/totals.h"

namespace penstock::loadgen {

class Connection {
 public:
  struct Ended {
    Sender::Ticket ticket;
    Outcome outcome;
  };

  virtual ~Connection() = default;

  // A socket has been opened for it; nothing is in flight. False: it cannot be used.
  virtual bool Start() = 0;
  // How many more requests it takes; without a socket as many as with a new one.
  virtual size_t room() const = 0;
  // One more is to leave. Only where there is room. False: it cannot, and this connection ends with those that it has.
  virtual bool Send(const Sender::Ticket& ticket) = 0;
  // The next bytes that should leave; hold until the next call. Empty: none for now.
  virtual std::string_view Unsent() = 0;
  // So many of them have left.
  virtual void TookUnsent(size_t bytes) = 0;
  // Empty: the server has ended the connection.
  virtual void Receive(std::string_view bytes) = 0;
  // The socket is to be closed.
  virtual bool is_over() const = 0;
  // What is in flight ends like this, and it is as before Start.
  virtual void EndAll(Outcome outcome) = 0;

  // Any of the calls above adds to it; the worker takes them out.
  std::vector<Ended>& ended() { return ended_; }

 protected:
  std::vector<Ended> ended_;
};

using ConnectionFactory = std::function<std::unique_ptr<Connection>()>;

}  // namespace penstock::loadgen
