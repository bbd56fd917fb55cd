// One session over several of the same model, one a GPU.
#pragma once

#include <atomic>
#include <memory>
#include <vector>

#include "base/status.h"
#include "session/session.h"

namespace penstock::session {

class SpreadSession final : public Session {
 public:
  // At least one; all of the same model and options.
  explicit SpreadSession(std::vector<std::shared_ptr<Session>> sessions) : sessions_(std::move(sessions)) {}

  const Signature& signature() const override { return sessions_.front()->signature(); }
  // Each next control, and the lane that has it, belongs to the next GPU.
  std::unique_ptr<RunControl> NewRunControl() const override;
  std::unique_ptr<RunControl> NewLaneControl() const override;
  Status Run(const std::vector<Tensor>& inputs, const std::vector<size_t>& outputs, RunControl& control,
             std::vector<Tensor>* results) const override;
  memory::BlockSource& input_memory() const override { return sessions_.front()->input_memory(); }
  bool TakesRowsApart(size_t input) const override;
  int64_t PaddedRows(int64_t rows) const override { return sessions_.front()->PaddedRows(rows); }
  // All of them or none: a lane's GPU must not decide what its runs are given.
  Result<std::shared_ptr<Session>> ConvertingOnDevice(const InputConversions& conversions) const override;
  void ReleaseSpareMemory() const override;
  void MeasureMemory() const override;
  std::vector<MemoryUse> memory_use() const override;
  std::vector<std::string> notes() const override;  // each once
  std::vector<std::string> gpus() const override;

 private:
  const std::vector<std::shared_ptr<Session>> sessions_;
  mutable std::atomic<size_t> next_{0};
};

}  // namespace penstock::session
