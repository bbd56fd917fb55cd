// The accept thread of one port: it takes connections from the kernel and hands each to the taker that has fewest, so that no front-end
// thread has more than its share.
//
// While nobody takes, connections wait in the kernel's backlog. Beyond the limit they are accepted and closed at once: a client that is
// told goes elsewhere, one that waits does not.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/status.h"
#include "transport/connection_source.h"
#include "transport/connection_takers.h"
#include "transport/file_descriptor.h"
#include "transport/listening_socket.h"

namespace penstock::transport {

struct ListenOptions {
  std::string host;
  uint16_t port = 0;  // 0 = any free one
  std::string flag;   // the option that names the port, for complaints
  size_t max_connections = 0;
};

class Acceptor : public ConnectionSource {
 public:
  // Errors: those of Listen(); kInternal when the system has no thread or descriptor for it.
  static Result<std::shared_ptr<Acceptor>> Open(const ListenOptions& options);
  ~Acceptor() override { Close(); }

  uint16_t port() const { return port_; }

  // All of the following: [any thread].

  uint64_t Attach(std::shared_ptr<ConnectionTaker> taker, uint32_t thread) override;
  void Detach(uint64_t name) override;
  void Ended(uint64_t name) override;
  // Accepts what has connected already (as far as somebody takes it), stops listening and joins the thread. Connections stay, and their ends
  // still count. May be repeated.
  void Close();
  bool closed() const;
  // One for each taker.
  std::vector<ConnectionTakers::Count> Counts() const;
  // The errno with which the system has refused a connection since the last call: those who connect wait. 0 = it has not.
  int TakeShortage() { return shortage_.exchange(0); }

 private:
  enum class Next { kMore, kNone, kBackOff };

  Acceptor(ListeningSocket listening, FileDescriptor wake, size_t max_connections);
  void Run();         // the accept thread
  Next AcceptOne();   // [accept thread]
  void Wake();  // [under mutex_]

  const uint16_t port_;
  const size_t max_connections_;
  FileDescriptor listener_;  // accept thread only, once that runs

  std::atomic<int> shortage_{0};

  std::mutex join_mutex_;  // who closes; taken before mutex_
  std::thread thread_;
  FileDescriptor wake_;  // an eventfd; written to under mutex_, none once the thread has been joined

  mutable std::mutex mutex_;  // guards all below
  ConnectionTakers takers_;
  bool closing_ = false;
};

}  // namespace penstock::transport
