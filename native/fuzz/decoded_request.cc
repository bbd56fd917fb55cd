#include "fuzz/decoded_request.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <unordered_set>
#include <variant>
#include <vector>

#include "base/checked_math.h"
#include "base/data_type.h"
#include "codec/bytes_framing.h"
#include "codec/utf8.h"
#include "fuzz/exact_copy.h"
#include "memory/block.h"

namespace penstock::fuzz {
namespace {

using serving::InferRequest;
using serving::RequestTensor;

// A message quotes 64 bytes of a client's text, each of which may need four (\xNN), in a path and in what was found.
constexpr size_t kLongestComplaint = 1000;

bool LiesIn(const memory::Slice& slice, const memory::SliceChain& message) {
  return std::any_of(message.slices().begin(), message.slices().end(), [&slice](const memory::Slice& piece) {
    return slice.owner == piece.owner && slice.data >= piece.data && slice.data + slice.size <= piece.data + piece.size;
  });
}

std::string BytesOf(const memory::SliceChain& chain) {
  std::string bytes(chain.size(), '\0');
  chain.CopyTo(reinterpret_cast<uint8_t*>(bytes.data()));
  return bytes;
}

template <typename Named>
const char* CheckNames(const std::vector<Named>& named, const codec::CodecLimits& limits) {
  std::unordered_set<std::string_view> names;
  for (const Named& one : named) {
    if (one.name.empty() || one.name.size() > limits.max_name_bytes || !codec::IsUtf8(one.name)) return "a name is a short UTF-8 text";
    if (!names.insert(one.name).second) return "names differ";
  }
  return nullptr;
}

const char* CheckElements(const RequestTensor& tensor, uint64_t elements) {
  const std::string bytes = BytesOf(tensor.data);
  const auto* cursor = reinterpret_cast<const uint8_t*>(bytes.data());
  const uint8_t* const end = cursor + bytes.size();
  if (tensor.dtype == DataType::kBool && bytes.find_first_not_of(std::string_view("\0\1", 2)) != std::string::npos) return "BOOL is 0 or 1";
  if (tensor.dtype != DataType::kBytes) {
    uint64_t expected = 0;
    if (!CheckedMul(elements, DataTypeSize(tensor.dtype), &expected)) return "the bytes of a shape can be counted";
    return bytes.size() == expected ? nullptr : "typed data fits its shape";
  }
  for (uint64_t i = 0; i < elements; ++i) {
    std::string_view element;
    if (!codec::TakeBytesElement(&cursor, end, &element)) return "typed BYTES hold every element";
  }
  return cursor == end ? nullptr : "typed BYTES hold nothing else";
}

const char* CheckTensor(const RequestTensor& tensor, const memory::SliceChain& message, const codec::CodecLimits& limits) {
  uint64_t elements = 0;
  if (tensor.dtype == DataType::kInvalid) return "an input has a dtype";
  if (tensor.shape.size() > limits.max_dims || !ElementCount(tensor.shape, &elements)) return "an input has a shape";
  for (const memory::Slice& slice : tensor.data.slices()) {
    if (LiesIn(slice, message) == tensor.data_is_checked) return "raw data lies in the message, typed data does not";
  }
  if (!tensor.data_is_checked) return nullptr;
  return tensor.data.size() > limits.max_tensor_bytes ? "typed data keeps to its limit" : CheckElements(tensor, elements);
}

}  // namespace

codec::CodecLimits ChooseLimits(uint8_t choice) {
  codec::CodecLimits limits;
  limits.max_tensor_bytes = 1 << 16;
  if (choice % 2 == 0) return limits;
  limits.max_tensor_bytes = 64;
  limits.max_depth = 4;
  limits.max_tensors = 3;
  limits.max_parameters = 3;
  limits.max_dims = 3;
  limits.max_name_bytes = 8;
  return limits;
}

memory::SliceChain InPieces(std::string_view message, uint8_t choice) {
  Choices choices(choice);
  std::vector<size_t> cuts(choices.Next() % 9);
  for (size_t& cut : cuts) cut = choices.Next() % (message.size() + 1);
  std::sort(cuts.begin(), cuts.end());
  cuts.push_back(message.size());
  memory::SliceChain chain;
  size_t begin = 0;
  for (const size_t cut : cuts) {
    if (cut > begin) chain.Append(ExactCopy(message.substr(begin, cut - begin)));
    begin = cut;
  }
  return chain;
}

PoolBound::PoolBound(size_t message_bytes) : before_(memory::BlockPool::Process().limit_bytes()) {
  memory::BlockPool& pool = memory::BlockPool::Process();
  pool.set_limit_bytes(pool.live_bytes() + 9 * message_bytes + 1);
}

PoolBound::~PoolBound() { memory::BlockPool::Process().set_limit_bytes(before_); }

const char* CheckRequest(const Result<InferRequest>& decoded, const memory::SliceChain& message, const codec::CodecLimits& limits) {
  if (!decoded.ok()) {
    const Status& status = decoded.status();
    if (status.code() == StatusCode::kInternal) return "a client cannot make us fail";
    if (status.code() == StatusCode::kMemory) return "no memory is taken for what is only promised";
    if (status.message().empty() || status.message().size() > kLongestComplaint) return "a complaint has a length";
    return codec::IsUtf8(status.message()) ? nullptr : "a complaint is a text";
  }
  const InferRequest& request = decoded.value();
  if (request.inputs.size() > limits.max_tensors || request.outputs.size() > limits.max_tensors) return "tensors keep to their limit";
  if (request.parameters.size() > limits.max_parameters) return "parameters keep to their limit";
  if (request.id.size() > limits.max_name_bytes || !codec::IsUtf8(request.id)) return "an id is a short UTF-8 text";
  if (const char* broken = CheckNames(request.inputs, limits)) return broken;
  if (const char* broken = CheckNames(request.outputs, limits)) return broken;
  uint64_t typed_bytes = 0;
  for (const RequestTensor& tensor : request.inputs) {
    if (const char* broken = CheckTensor(tensor, message, limits)) return broken;
    if (tensor.data_is_checked) typed_bytes += tensor.data.size();
  }
  if (typed_bytes > limits.max_tensor_bytes) return "the typed data of a request keep to one limit";
  if (request.is_raw && BytesOf(request.raw_body) != BytesOf(message)) return "a raw body is the body";
  return nullptr;
}

const char* CheckSame(const Result<InferRequest>& whole, const Result<InferRequest>& pieces) {
  if (whole.status().code() != pieces.status().code()) return "pieces and the whole have one outcome";
  if (whole.status().message() != pieces.status().message()) return "pieces and the whole have one complaint";
  if (!whole.ok()) return nullptr;
  const InferRequest& a = whole.value();
  const InferRequest& b = pieces.value();
  const bool is_same_head = a.model_name == b.model_name && a.model_version == b.model_version && a.id == b.id &&
                            a.binary_output == b.binary_output && a.timeout_us == b.timeout_us && a.priority == b.priority &&
                            a.is_raw == b.is_raw && a.raw_body.size() == b.raw_body.size();
  if (!is_same_head) return "pieces and the whole have one head";
  const auto same_parameter = [](const serving::Parameter& x, const serving::Parameter& y) {
    // A NaN is not equal to itself.
    return x.name == y.name && x.value.index() == y.value.index() && (std::holds_alternative<double>(x.value) || x.value == y.value);
  };
  if (!std::equal(a.parameters.begin(), a.parameters.end(), b.parameters.begin(), b.parameters.end(), same_parameter)) {
    return "pieces and the whole have the same parameters";
  }
  const auto same_output = [](const serving::RequestedOutput& x, const serving::RequestedOutput& y) {
    return x.name == y.name && x.form == y.form;
  };
  if (!std::equal(a.outputs.begin(), a.outputs.end(), b.outputs.begin(), b.outputs.end(), same_output)) {
    return "pieces and the whole have the same outputs";
  }
  const auto same_input = [](const RequestTensor& x, const RequestTensor& y) {
    return x.name == y.name && x.dtype == y.dtype && x.shape == y.shape && x.data_is_checked == y.data_is_checked &&
           BytesOf(x.data) == BytesOf(y.data);
  };
  const bool is_same = std::equal(a.inputs.begin(), a.inputs.end(), b.inputs.begin(), b.inputs.end(), same_input);
  return is_same ? nullptr : "pieces and the whole have the same inputs";
}

}  // namespace penstock::fuzz
