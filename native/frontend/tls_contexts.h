// What clients are offered of TLS, by the protocol of their port.
#pragma once

#include <memory>

#include "base/status.h"
#include "transport/tls_context.h"

namespace penstock::frontend {

// Null = none.
struct TlsContexts {
  std::shared_ptr<const transport::TlsContext> http;
  std::shared_ptr<const transport::TlsContext> grpc;
};

// For both. Fails as TlsContext::Make does.
Result<TlsContexts> MakeTlsContexts(const transport::TlsMaterial& material);

}  // namespace penstock::frontend
