#include <cstring>
#include <memory>
#include <new>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/checked_math.h"
#include "base/data_type.h"
#include "codec/grpc_message.h"

namespace penstock::codec {
namespace {

constexpr uint64_t kMaxMessageBytes = INT32_MAX;
constexpr uint8_t kRawOutputTag = (6 << 3) | 2;  // raw_output_contents, length-delimited
constexpr size_t kMaxVarint = 10;
// Of the head of a reply, and of what it says of one output: one allocation each where names are short.
constexpr size_t kUsualHeadBytes = 256;
constexpr size_t kUsualOutputBytes = 64;

size_t VarintSize(uint64_t value) {
  size_t size = 1;
  for (; value >= 0x80; value >>= 7) ++size;
  return size;
}

// Returns the byte after the varint.
uint8_t* StoreVarint(uint8_t* destination, uint64_t value) {
  for (; value >= 0x80; value >>= 7) *destination++ = static_cast<uint8_t>(value | 0x80);
  *destination++ = static_cast<uint8_t>(value);
  return destination;
}

void AppendVarint(std::string* out, uint64_t value) {
  uint8_t bytes[kMaxVarint];
  const uint8_t* const end = StoreVarint(bytes, value);
  out->append(reinterpret_cast<const char*>(bytes), static_cast<size_t>(end - bytes));
}

// A length-delimited field; left out when empty, which is what proto3 writes for its default.
void AppendText(std::string* out, uint32_t number, std::string_view value) {
  if (value.empty()) return;
  AppendVarint(out, number << 3 | 2);
  AppendVarint(out, value.size());
  out->append(value);
}

std::string OutputTensor(std::string_view name, const session::Tensor& tensor) {
  std::string shape;
  for (const int64_t dim : tensor.dims) AppendVarint(&shape, static_cast<uint64_t>(dim));
  std::string message;
  message.reserve(kUsualOutputBytes);
  AppendText(&message, 1, name);
  AppendText(&message, 2, DataTypeName(tensor.dtype));
  AppendText(&message, 3, shape);
  return message;
}

}  // namespace

Result<ModelInferReply> ModelInferReply::Make(const serving::ReplyPlan& plan, const pipeline::Outcome& outcome) {
  if (plan.outputs.size() != outcome.outputs.size()) {
    return Status(StatusCode::kInternal, "the plan has " + std::to_string(plan.outputs.size()) + " outputs, the outcome has " +
                                             std::to_string(outcome.outputs.size()));
  }
  try {
    ModelInferReply reply;
    reply.outcome_ = &outcome;
    reply.head_.reserve(kUsualHeadBytes);
    AppendText(&reply.head_, 1, plan.model_name);
    AppendText(&reply.head_, 2, plan.model_version);
    AppendText(&reply.head_, 3, plan.id);
    uint64_t raw_bytes = 0;
    for (size_t i = 0; i < outcome.outputs.size(); ++i) {
      AppendText(&reply.head_, 5, OutputTensor(plan.outputs[i].name, outcome.outputs[i]));
      const uint64_t bytes = outcome.outputs[i].bytes.size;
      if (!CheckedAdd(raw_bytes, 1 + VarintSize(bytes), &raw_bytes) || !CheckedAdd(raw_bytes, bytes, &raw_bytes)) raw_bytes = UINT64_MAX;
    }
    uint64_t size = 0;
    if (!CheckedAdd(reply.head_.size(), raw_bytes, &size) || size > kMaxMessageBytes) {
      return Status(StatusCode::kRequestTooLarge, "the outputs take " + std::to_string(raw_bytes) + " bytes, but one gRPC message holds " +
                                                      std::to_string(kMaxMessageBytes) + ": ask for fewer rows or outputs at a time");
    }
    reply.size_ = size;
    return reply;
  } catch (const std::bad_alloc&) {
    return Status(StatusCode::kMemory, "no memory to write the head of a reply");
  }
}

void ModelInferReply::WriteTo(uint8_t* destination) const {
  std::memcpy(destination, head_.data(), head_.size());
  destination += head_.size();
  for (const session::Tensor& output : outcome_->outputs) {
    const size_t bytes = output.bytes.size;
    *destination++ = kRawOutputTag;
    destination = StoreVarint(destination, bytes);
    if (bytes != 0) std::memcpy(destination, output.bytes.data, bytes);
    destination += bytes;
  }
}

Result<memory::SliceChain> ModelInferReply::Slices() const {
  try {
    // Head, tags and lengths as one text: slices of it and the outputs take turns.
    std::string text;
    text.reserve(head_.size() + outcome_->outputs.size() * (1 + kMaxVarint));  // cannot overflow: more than that is in memory
    text = head_;
    std::vector<size_t> ends;
    ends.reserve(outcome_->outputs.size());
    for (const session::Tensor& output : outcome_->outputs) {
      text.push_back(static_cast<char>(kRawOutputTag));
      AppendVarint(&text, output.bytes.size);
      ends.push_back(text.size());
    }
    const auto owner = std::make_shared<const std::string>(std::move(text));
    const memory::Slice written{reinterpret_cast<const uint8_t*>(owner->data()), owner->size(), memory::MemoryKind::kPageable, owner};
    memory::SliceChain slices;
    size_t begin = 0;
    for (size_t i = 0; i < ends.size(); ++i) {
      const memory::Slice& bytes = outcome_->outputs[i].bytes;
      if (bytes.size == 0) continue;  // its tag and length go with the next
      slices.Append(written.Sub(begin, ends[i] - begin));
      slices.Append(bytes);
      begin = ends[i];
    }
    slices.Append(written.Sub(begin, written.size - begin));
    return slices;
  } catch (const std::bad_alloc&) {
    return Status(StatusCode::kMemory, "no memory to write the head of a reply");
  }
}

}  // namespace penstock::codec
