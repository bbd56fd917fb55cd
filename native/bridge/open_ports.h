// The ports that the process listens on, by the name that front-end threads ask for.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "base/status.h"
#include "transport/acceptor.h"

namespace penstock::bridge {

// [any thread]
class OpenPorts {
 public:
  // kInternal while another is open under that name.
  Result<std::shared_ptr<transport::Acceptor>> Open(const std::string& name, const transport::ListenOptions& options);
  // The last one opened under that name, closed or not; null when there has been none.
  std::shared_ptr<transport::Acceptor> Find(const std::string& name) const;
  std::map<std::string, std::shared_ptr<transport::Acceptor>> All() const;

 private:
  mutable std::mutex mutex_;
  std::map<std::string, std::shared_ptr<transport::Acceptor>> ports_;
};

}  // namespace penstock::bridge
