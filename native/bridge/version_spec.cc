#include "bridge/version_spec.h"

#include <limits>
#include <string>
#include <utility>
#include <vector>

namespace penstock::bridge {
namespace {

constexpr int64_t kMaxLanes = 1024;
constexpr int64_t kMaxInt32 = 2147483647;
// A year: longer waits mean "none", and stay far from overflow as nanoseconds.
constexpr int64_t kMaxMicroseconds = 1'000'000ll * 60 * 60 * 24 * 365;
// The queue keeps something for each.
constexpr int64_t kMaxPriorityLevels = 1000;

std::vector<serving::ApiTensor> ReadTensors(ObjectReader& spec, const char* name, bool may_be_optional) {
  std::vector<serving::ApiTensor> tensors;
  for (ObjectReader& item : spec.List(name)) {
    serving::ApiTensor tensor;
    tensor.name = item.Text("name");
    tensor.dtype = static_cast<DataType>(item.Whole("dataType", 1, kDataTypeCount - 1));
    tensor.dims = item.WholeList("dims", -1, kMaxWhole);
    tensor.optional = may_be_optional && item.Flag("optional");
    spec.Adopt(item);
    tensors.push_back(std::move(tensor));
  }
  return tensors;
}

void ReadPadding(ObjectReader& spec, serving::VersionSpec* version) {
  for (ObjectReader& item : spec.List("paddedInputs")) {
    serving::PaddedInput padded;
    padded.input = item.Text("input");
    padded.dim = item.Whole("dim", 1, kMaxInt32);
    for (const int64_t byte : item.WholeList("value", 0, 255)) padded.value.push_back(static_cast<uint8_t>(byte));
    spec.Adopt(item);
    version->padded_inputs.push_back(std::move(padded));
  }
  for (ObjectReader& item : spec.List("cutOutputs")) {
    serving::CutOutput cut;
    cut.output = item.Text("output");
    cut.dims = item.WholeList("dims", 1, kMaxInt32);
    spec.Adopt(item);
    version->cut_outputs.push_back(std::move(cut));
  }
}

batching::QueuePolicy ReadPolicy(ObjectReader& parent, const char* name) {
  ObjectReader reader = parent.Nested(name);
  batching::QueuePolicy policy;
  policy.timeout_action = reader.Flag("delays") ? batching::TimeoutAction::kDelay : batching::TimeoutAction::kReject;
  policy.default_timeout_us = static_cast<uint64_t>(reader.Whole("defaultTimeoutUs", 0, kMaxMicroseconds));
  policy.allow_timeout_override = reader.Flag("allowTimeoutOverride");
  policy.max_queue_size = static_cast<size_t>(reader.Whole("maxQueueSize", 0, kMaxWhole));
  parent.Adopt(reader);
  return policy;
}

batching::QueueOptions ReadQueue(ObjectReader& reader) {
  batching::QueueOptions queue;
  queue.max_items = static_cast<size_t>(reader.Whole("maxQueueSize", 0, kMaxWhole));
  queue.max_bytes = static_cast<uint64_t>(reader.Whole("maxQueueBytes", 0, kMaxWhole));
  const int64_t levels = reader.Whole("priorityLevels", 0, kMaxPriorityLevels);
  queue.priority_levels = static_cast<uint64_t>(levels);
  queue.default_priority_level = static_cast<uint64_t>(reader.Whole("defaultPriorityLevel", levels == 0 ? 0 : 1, levels));
  queue.default_policy = ReadPolicy(reader, "defaultQueuePolicy");
  for (ObjectReader& item : reader.List("priorityQueuePolicies")) {
    const auto level = static_cast<uint64_t>(item.Whole("level", 1, levels));
    queue.level_policies[level] = ReadPolicy(item, "policy");
    reader.Adopt(item);
  }
  return queue;
}

void ReadBatching(ObjectReader& spec, serving::VersionSpec* version) {
  ObjectReader reader = spec.Nested("batching");
  batching::BatchingOptions& batching = version->pipeline.batching;
  const std::string merge = reader.Text("merge");
  if (merge != "never" && merge != "always" && merge != "checked") reader.Complain("merge", "\"never\", \"always\" or \"checked\"");
  batching.merge = merge != "never";
  version->merge_if_rows_are_independent = merge == "checked";
  batching.queue = ReadQueue(reader);
  batching.preferred_rows = reader.WholeList("preferredBatchSizes", 1, kMaxInt32);
  batching.max_delay_ns = reader.Whole("maxQueueDelayUs", 0, kMaxMicroseconds) * 1000;
  batching.preserve_ordering = reader.Flag("preserveOrdering");
  constexpr double kMaxMilliseconds = static_cast<double>(kMaxMicroseconds) / 1000;
  batching.latency_goal_ns = static_cast<int64_t>(reader.Decimal("latencyGoalMs", 0, kMaxMilliseconds) * 1e6);
  spec.Adopt(reader);
}

}  // namespace

serving::VersionSpec ReadVersionSpec(ObjectReader& reader) {
  serving::VersionSpec spec;
  spec.model_name = reader.Text("modelName");
  spec.version = reader.Whole("version", 1, kMaxWhole);
  spec.max_batch_size = reader.Whole("maxBatchSize", 0, kMaxInt32);
  spec.inputs = ReadTensors(reader, "inputs", true);
  spec.outputs = ReadTensors(reader, "outputs", false);
  spec.pipeline.batching.lanes = static_cast<int>(reader.Whole("lanes", 1, kMaxLanes));
  spec.lanes_if_faster = reader.Flag("lanesIfFaster");
  ReadBatching(reader, &spec);
  ReadPadding(reader, &spec);
  return spec;
}

std::vector<session::NamedConversion> ReadConversions(ObjectReader& reader) {
  constexpr double kMax = std::numeric_limits<float>::max();
  std::vector<session::NamedConversion> conversions;
  for (ObjectReader& item : reader.List("conversions")) {
    session::NamedConversion named;
    named.input = item.Text("input");
    named.conversion.from = static_cast<DataType>(item.Whole("from", 1, kDataTypeCount - 1));
    for (const double scale : item.DecimalList("scale", -kMax, kMax)) named.conversion.scale.push_back(static_cast<float>(scale));
    for (const double offset : item.DecimalList("offset", -kMax, kMax)) named.conversion.offset.push_back(static_cast<float>(offset));
    named.conversion.inner = item.Whole("inner", 1, kMaxWhole);
    reader.Adopt(item);
    conversions.push_back(std::move(named));
  }
  return conversions;
}

}  // namespace penstock::bridge
