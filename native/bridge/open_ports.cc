#include "bridge/open_ports.h"

namespace penstock::bridge {

Result<std::shared_ptr<transport::Acceptor>> OpenPorts::Open(const std::string& name, const transport::ListenOptions& options) {
  std::lock_guard<std::mutex> lock(mutex_);
  const auto port = ports_.find(name);
  if (port != ports_.end() && !port->second->closed()) return Status(StatusCode::kInternal, "the port \"" + name + "\" is open already");
  Result<std::shared_ptr<transport::Acceptor>> opened = transport::Acceptor::Open(options);
  if (opened.ok()) ports_[name] = opened.value();
  return opened;
}

std::shared_ptr<transport::Acceptor> OpenPorts::Find(const std::string& name) const {
  std::lock_guard<std::mutex> lock(mutex_);
  const auto found = ports_.find(name);
  return found == ports_.end() ? nullptr : found->second;
}

std::map<std::string, std::shared_ptr<transport::Acceptor>> OpenPorts::All() const {
  std::lock_guard<std::mutex> lock(mutex_);
  return ports_;
}

}  // namespace penstock::bridge
