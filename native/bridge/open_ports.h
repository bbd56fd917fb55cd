// The ports that the process listens on, by the name that front-end threads ask for.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "base/status.h"
#include "frontend/hand_off.h"
#include "transport/acceptor.h"
#include "transport/connection_source.h"

namespace penstock::bridge {

struct OpenPort {
  std::shared_ptr<transport::Acceptor> acceptor;
  std::shared_ptr<frontend::HandOff> hand_off;  // what the native front end passes on; null where JavaScript serves the port itself
  // Where JavaScript takes its connections from.
  std::shared_ptr<transport::ConnectionSource> ForJavaScript() const;
};

// [any thread]
class OpenPorts {
 public:
  // `natively`: for the native front end. kInternal while another is open under that name.
  Result<std::shared_ptr<transport::Acceptor>> Open(const std::string& name, const transport::ListenOptions& options, bool natively);
  // The last one opened under that name, closed or not; empty when there has been none.
  OpenPort Find(const std::string& name) const;
  std::map<std::string, OpenPort> All() const;

 private:
  mutable std::mutex mutex_;
  std::map<std::string, OpenPort> ports_;
};

}  // namespace penstock::bridge
