#include "session/spread_session.h"

#include <algorithm>
#include <utility>

namespace penstock::session {
namespace {

class SpreadRunControl final : public RunControl {
 public:
  SpreadRunControl(size_t index, std::unique_ptr<RunControl> inner) : index_(index), inner_(std::move(inner)) {}
  void Terminate() override { inner_->Terminate(); }
  void Reset() override { inner_->Reset(); }
  std::string gpu() const override { return inner_->gpu(); }
  bool IsFirstOfItsKind(const std::vector<Tensor>& inputs) const override { return inner_->IsFirstOfItsKind(inputs); }
  size_t index() const { return index_; }
  RunControl& inner() { return *inner_; }

 private:
  const size_t index_;
  const std::unique_ptr<RunControl> inner_;
};

}  // namespace

std::unique_ptr<RunControl> SpreadSession::NewRunControl() const {
  const size_t index = next_.fetch_add(1, std::memory_order_relaxed) % sessions_.size();
  return std::make_unique<SpreadRunControl>(index, sessions_[index]->NewRunControl());
}

std::unique_ptr<RunControl> SpreadSession::NewLaneControl() const {
  const size_t index = next_.fetch_add(1, std::memory_order_relaxed) % sessions_.size();
  return std::make_unique<SpreadRunControl>(index, sessions_[index]->NewLaneControl());
}

Status SpreadSession::Run(const std::vector<Tensor>& inputs, const std::vector<size_t>& outputs, RunControl& control,
                          std::vector<Tensor>* results) const {
  auto& spread = static_cast<SpreadRunControl&>(control);
  return sessions_[spread.index()]->Run(inputs, outputs, spread.inner(), results);
}

Result<std::shared_ptr<Session>> SpreadSession::ConvertingOnDevice(const InputConversions& conversions) const {
  std::vector<std::shared_ptr<Session>> all;
  for (const std::shared_ptr<Session>& session : sessions_) {
    Result<std::shared_ptr<Session>> converting = session->ConvertingOnDevice(conversions);
    if (!converting.ok() || converting.value() == nullptr) return converting;
    all.push_back(std::move(converting).value());
  }
  return std::shared_ptr<Session>(std::make_shared<SpreadSession>(std::move(all)));
}

bool SpreadSession::TakesRowsApart(size_t input) const {
  return std::all_of(sessions_.begin(), sessions_.end(), [input](const auto& session) { return session->TakesRowsApart(input); });
}

void SpreadSession::ReleaseSpareMemory() const {
  for (const std::shared_ptr<Session>& session : sessions_) session->ReleaseSpareMemory();
}

void SpreadSession::MeasureMemory() const {
  for (const std::shared_ptr<Session>& session : sessions_) session->MeasureMemory();
}

std::vector<MemoryUse> SpreadSession::memory_use() const {
  std::vector<MemoryUse> all;
  for (const std::shared_ptr<Session>& session : sessions_) {
    for (MemoryUse& use : session->memory_use()) all.push_back(std::move(use));
  }
  return all;
}

std::vector<std::string> SpreadSession::notes() const {
  std::vector<std::string> all;
  for (const std::shared_ptr<Session>& session : sessions_) {
    for (std::string& note : session->notes()) {
      if (std::find(all.begin(), all.end(), note) == all.end()) all.push_back(std::move(note));
    }
  }
  return all;
}

std::vector<std::string> SpreadSession::gpus() const {
  std::vector<std::string> all;
  for (const std::shared_ptr<Session>& session : sessions_) {
    for (std::string& uuid : session->gpus()) all.push_back(std::move(uuid));
  }
  return all;
}

}  // namespace penstock::session
