// The catalog: one immutable snapshot of what is served, published from TypeScript and swapped whole.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "base/status.h"
#include "serving/model_version.h"

namespace penstock::serving {

struct CatalogVersion {
  // Null when not ready. Made by Reaper::Adopt: its last reference may be dropped by a lane or by a JavaScript thread.
  std::shared_ptr<ModelVersion> version;
  std::string reason;                     // why it is not ready; for messages
  std::string metadata_json;              // ready documents, answered as they are
  std::string config_json;
};

struct CatalogModel {
  std::map<int64_t, CatalogVersion> versions;
  int64_t default_version = 0;            // highest ready one under the policy; 0 = none is ready
  std::string metadata_json;              // of the default version, listing all ready versions
};

struct Catalog {
  std::map<std::string, CatalogModel, std::less<>> models;

  // Empty `version` = the default. The pointer is never null, its `version` neither, and both live as long as this catalog.
  // Errors: kModelUnknown ("Request for unknown model: ..."; also when no version is ready), kModelNotReady with the reason.
  // A version text that is not a non-negative integer is kRequestField.
  Result<const CatalogVersion*> Find(const std::string& model, const std::string& version) const;
};

// Holds the current snapshot. A look-up takes a short lock and one reference; no thread keeps a snapshot longer than one request.
class CatalogCell {
 public:
  std::shared_ptr<const Catalog> Current() const;
  void Publish(std::shared_ptr<const Catalog> catalog);

  // Every version ever published that is not destroyed: those of the current snapshot, retired ones that have work left, and those on
  // their way to the reaper. Drop the result where blocking is allowed: it may hold the last reference.
  std::vector<std::shared_ptr<ModelVersion>> Living() const;

 private:
  mutable std::mutex mutex_;
  std::shared_ptr<const Catalog> current_ = std::make_shared<const Catalog>();
  std::set<std::weak_ptr<ModelVersion>, std::owner_less<>> published_;  // the versions themselves, not their adopted wrappers
};

}  // namespace penstock::serving
