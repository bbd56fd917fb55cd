// Lets the plain clients of other tests speak TLS: a thread that carries their bytes.
#pragma once

#include <poll.h>
#include <sys/socket.h>

#include <string>
#include <thread>
#include <utility>

#include "frontend/test_http_peers.h"
#include "transport/file_descriptor.h"
#include "transport/test_peers.h"
#include "transport/test_tls_client.h"

namespace penstock::frontend {

// Ends with either end of it: both the client and the server must have closed, or closed upon, before it is destroyed.
class TlsTestPump {
 public:
  // `plain` is the other end of the client's connection.
  TlsTestPump(transport::FileDescriptor server, transport::FileDescriptor plain, const std::string& protocol)
      : client_(std::move(server), {static_cast<char>(protocol.size()) + protocol, "", "", 0}), plain_(std::move(plain)) {
    thread_ = std::thread([this] { Run(); });
  }
  ~TlsTestPump() { thread_.join(); }

 private:
  void Run() {
    bool goes_on = client_.Shake();
    char bytes[65536];
    HttpPeer plain(std::move(plain_));
    while (goes_on) {
      pollfd waits[] = {{client_.fd(), POLLIN, 0}, {plain.fd(), POLLIN, 0}};
      if (poll(waits, 2, transport::kPatienceMs) <= 0) break;
      std::string text;
      if (waits[0].revents != 0) {
        goes_on = client_.ReadSome(&text);
        if (!text.empty() && !plain.Send(text)) goes_on = false;
      }
      if (goes_on && waits[1].revents != 0) {
        const ssize_t got = recv(plain.fd(), bytes, sizeof bytes, MSG_DONTWAIT);
        goes_on = got > 0 && client_.Send(std::string(bytes, static_cast<size_t>(got)));
      }
    }
    client_.Close();
  }

  transport::TlsTestClient client_;
  transport::FileDescriptor plain_;
  std::thread thread_;
};

}  // namespace penstock::frontend
