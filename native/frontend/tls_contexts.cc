#include "frontend/tls_contexts.h"

#include <utility>

namespace penstock::frontend {

Result<TlsContexts> MakeTlsContexts(const transport::TlsMaterial& material) {
  auto http = transport::TlsContext::Make(material, "http/1.1");
  if (!http.ok()) return http.status();
  auto grpc = transport::TlsContext::Make(material, "h2");
  if (!grpc.ok()) return grpc.status();
  return TlsContexts{std::move(http).value(), std::move(grpc).value()};
}

}  // namespace penstock::frontend
