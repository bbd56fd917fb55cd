#include "serving/catalog.h"

#include <algorithm>
#include <utility>

#include "serving/message_text.h"

namespace penstock::serving {
namespace {

// Any text of so many digits fits int64_t.
constexpr size_t kVersionDigits = 18;

Status Unknown(const std::string& model, const std::string& rest) {
  return Status(StatusCode::kModelUnknown, "Request for unknown model: '" + Clipped(model) + "' " + rest);
}

Result<int64_t> ParseVersion(const std::string& text) {
  const bool digits = std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
  if (!digits || text.size() > kVersionDigits) {
    return Status(StatusCode::kRequestField, "model_version: found " + Quoted(text) + ", expected a whole number of at most " +
                                                 std::to_string(kVersionDigits) + " digits, or nothing for the default version");
  }
  return static_cast<int64_t>(std::stoll(text));
}

std::string ReadyVersions(const CatalogModel& model) {
  std::string text;
  for (const auto& [number, entry] : model.versions) {
    if (entry.version == nullptr) continue;
    text += (text.empty() ? "" : ", ") + std::to_string(number);
  }
  return text.empty() ? "no version is ready" : "ready versions: " + text;
}

std::string ReasonText(const CatalogVersion& entry) { return entry.reason.empty() ? "" : ": " + Clipped(entry.reason); }

}  // namespace

Result<const CatalogVersion*> Catalog::Find(const std::string& model, const std::string& version) const {
  const auto found = models.find(model);
  if (found == models.end()) return Unknown(model, "is not found");
  const CatalogModel& entry = found->second;

  if (version.empty()) {
    const auto chosen = entry.versions.find(entry.default_version);
    if (chosen != entry.versions.end() && chosen->second.version != nullptr) return &chosen->second;
    std::string states;
    for (const auto& [number, state] : entry.versions) {
      states += "; version " + std::to_string(number) + " is not ready" + ReasonText(state);
    }
    return Unknown(model, "has no available versions" + Clipped(states));
  }

  const Result<int64_t> number = ParseVersion(version);
  if (!number.ok()) return number.status();
  const auto chosen = entry.versions.find(number.value());
  if (chosen == entry.versions.end()) {
    return Unknown(model, "version " + std::to_string(number.value()) + " is not found, " + ReadyVersions(entry));
  }
  if (chosen->second.version != nullptr) return &chosen->second;
  return Status(StatusCode::kModelNotReady,
                "model '" + Clipped(model) + "' version " + std::to_string(number.value()) + " is not ready" + ReasonText(chosen->second));
}

std::shared_ptr<const Catalog> CatalogCell::Current() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return current_;
}

void CatalogCell::Publish(std::shared_ptr<const Catalog> catalog) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    for (auto it = published_.begin(); it != published_.end();) it = it->expired() ? published_.erase(it) : std::next(it);
    for (const auto& [name, model] : catalog->models) {
      for (const auto& [number, entry] : model.versions) {
        if (entry.version != nullptr) published_.insert(entry.version->weak_from_this());
      }
    }
    current_.swap(catalog);
  }
  // The old snapshot, now in `catalog`, is dropped here, outside the lock.
}

std::vector<std::shared_ptr<ModelVersion>> CatalogCell::Living() const {
  std::vector<std::shared_ptr<ModelVersion>> living;
  const std::lock_guard<std::mutex> lock(mutex_);
  for (const std::weak_ptr<ModelVersion>& version : published_) {
    if (std::shared_ptr<ModelVersion> alive = version.lock()) living.push_back(std::move(alive));
  }
  return living;
}

}  // namespace penstock::serving
