#include "bridge/open_ports.h"

namespace penstock::bridge {

std::shared_ptr<transport::ConnectionSource> OpenPort::ForJavaScript() const {
  if (hand_off != nullptr) return hand_off;
  return acceptor;
}

Result<std::shared_ptr<transport::Acceptor>> OpenPorts::Open(const std::string& name, const transport::ListenOptions& options, bool natively) {
  std::lock_guard<std::mutex> lock(mutex_);
  const auto port = ports_.find(name);
  if (port != ports_.end() && !port->second.acceptor->closed()) {
    return Status(StatusCode::kInternal, "the port \"" + name + "\" is open already");
  }
  Result<std::shared_ptr<transport::Acceptor>> opened = transport::Acceptor::Open(options);
  if (!opened.ok()) return opened;
  ports_[name] = OpenPort{opened.value(), natively ? std::make_shared<frontend::HandOff>(options.max_connections) : nullptr};
  return opened;
}

OpenPort OpenPorts::Find(const std::string& name) const {
  std::lock_guard<std::mutex> lock(mutex_);
  const auto found = ports_.find(name);
  return found == ports_.end() ? OpenPort() : found->second;
}

std::map<std::string, OpenPort> OpenPorts::All() const {
  std::lock_guard<std::mutex> lock(mutex_);
  return ports_;
}

}  // namespace penstock::bridge
