#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "books.h"
#include "ort_script.h"
#include "real_ort.h"
#include "replacements.h"
#include "session/ort_tensor.h"

namespace penstock::fake_ort {
namespace {

// The real library copies what a node on the CPU wants here and then, without waiting for any stream of ours.
OrtStatus* BindInput(OrtIoBinding* binding, const char* name, const OrtValue* value) {
  if (const std::string text = BeginCall("BindInput"); !text.empty()) return Failure(text);
  Shape shape;
  if (OrtStatus* status = ShapeOf(value, &shape); status != nullptr) return status;
  Input input;
  if (shape.element_type != session::kOrtString && shape.bytes != 0) {
    void* data = nullptr;
    if (OrtStatus* status = TheReal().ort.GetTensorMutableData(const_cast<OrtValue*>(value), &data); status != nullptr) return status;
    input = {data, std::string(static_cast<const char*>(data), shape.bytes)};
  }
  {
    const Lock lock(TheBooks().mutex);
    TheBooks().inputs[binding][name] = std::move(input);
    TheBooks().rows.emplace(binding, shape.dims.empty() ? 0 : shape.dims.front());
  }
  return TheReal().ort.BindInput(binding, name, value);
}

void ClearBoundInputs(OrtIoBinding* binding) {
  {
    const Lock lock(TheBooks().mutex);
    TheBooks().inputs.erase(binding);
    TheBooks().rows.erase(binding);
  }
  TheReal().ort.ClearBoundInputs(binding);
}

OrtStatus* BindOutputToDevice(OrtIoBinding* binding, const char* name, const OrtMemoryInfo* place) {
  {
    Books& books = TheBooks();
    const Lock lock(books.mutex);
    const auto found = books.places.find(place);
    books.outputs[binding].push_back(Output{name, found == books.places.end() ? -1 : found->second, nullptr, nullptr});
  }
  return TheReal().ort.BindOutputToDevice(binding, name, place);
}

OrtStatus* BindOutput(OrtIoBinding* binding, const char* name, const OrtValue* value) {
  void* data = nullptr;
  if (OrtStatus* status = TheReal().ort.GetTensorMutableData(const_cast<OrtValue*>(value), &data); status != nullptr) return status;
  {
    const Lock lock(TheBooks().mutex);
    TheBooks().outputs[binding].push_back(Output{name, -1, data, nullptr});
  }
  return TheReal().ort.BindOutput(binding, name, value);
}

void ClearBoundOutputs(OrtIoBinding* binding) {
  {
    const Lock lock(TheBooks().mutex);
    TheBooks().outputs.erase(binding);
  }
  TheReal().ort.ClearBoundOutputs(binding);
}

void ReleaseIoBinding(OrtIoBinding* binding) {
  {
    const Lock lock(TheBooks().mutex);
    TheBooks().outputs.erase(binding);
    TheBooks().inputs.erase(binding);
    TheBooks().rows.erase(binding);
  }
  TheReal().ort.ReleaseIoBinding(binding);
}

// Puts an output where a GPU would have left it.
OrtStatus* MoveToDevice(OrtValue* value, Output* output) {
  Shape shape;
  if (OrtStatus* status = ShapeOf(value, &shape); status != nullptr) return status;
  output->memory = DeviceMemory::Take(output->ordinal, shape.bytes);
  if (output->memory == nullptr) return NoRoom(shape.bytes);
  void* data = nullptr;
  if (OrtStatus* status = TheReal().ort.GetTensorMutableData(value, &data); status != nullptr) return status;
  if (output->memory->data() != nullptr) std::memcpy(output->memory->data(), data, shape.bytes);
  return nullptr;
}

// With the books locked.
Addresses AddressesOf(const OrtIoBinding* binding) {
  Addresses all;
  for (const auto& [name, input] : TheBooks().inputs[binding]) all["input " + name] = input.data;
  for (const Output& output : TheBooks().outputs[binding]) all["output " + output.name] = output.fixed;
  return all;
}

OrtStatus* RunWithBinding(OrtSession* session, const OrtRunOptions* options, const OrtIoBinding* binding) {
  Books& books = TheBooks();
  int64_t rows = 0;
  Addresses addresses;
  {
    const Lock lock(books.mutex);
    addresses = AddressesOf(binding);
    rows = books.rows[binding];
  }
  const Graphs::Run run(&books.graphs, session, options, addresses);
  if (!run.fault().empty()) return Failure(run.fault());
  {
    const Lock lock(books.mutex);
    books.shrinks += books.shrinking.count(options);
    for (const auto& [name, input] : books.inputs[binding]) {
      // What a graph reads changes from run to run, in place.
      if (run.uses_graph() || input.bytes.empty() || std::memcmp(input.data, input.bytes.data(), input.bytes.size()) == 0) continue;
      return Failure("input " + name + " has changed since it was bound");
    }
  }
  const RunOrder order = BeginRun("RunWithBinding", rows);
  if (!order.failure.empty()) return Failure(order.failure);
  const std::string text = run.uses_graph() ? BeginCall("RunGraph") : "";
  if (!text.empty()) return Failure(text);
  if (OrtStatus* status = TheReal().ort.RunWithBinding(session, options, binding); status != nullptr) return status;
  std::vector<OrtValue*> values;
  if (OrtStatus* status = RealOutputs(binding, &values); status != nullptr) return status;
  OrtStatus* failure = nullptr;
  {
    const Lock lock(books.mutex);
    std::vector<Output>& outputs = books.outputs[binding];
    for (size_t i = 0; i < values.size(); ++i) {
      if (failure == nullptr && outputs.at(i).ordinal >= 0) failure = MoveToDevice(values[i], &outputs[i]);
      TheReal().ort.ReleaseValue(values[i]);
    }
  }
  WaitUntil(order.ends);
  return failure;
}

OrtStatus* GetBoundOutputValues(const OrtIoBinding* binding, OrtAllocator* allocator, OrtValue*** values, size_t* count) {
  const OrtFunctions& ort = TheReal().ort;
  if (OrtStatus* status = ort.GetBoundOutputValues(binding, allocator, values, count); status != nullptr) return status;
  Books& books = TheBooks();
  const Lock lock(books.mutex);
  const std::vector<Output>& outputs = books.outputs[binding];
  for (size_t i = 0; i < *count; ++i) {
    if (outputs.at(i).memory == nullptr || outputs[i].memory->data() == nullptr) continue;
    Shape shape;
    if (OrtStatus* status = ShapeOf((*values)[i], &shape); status != nullptr) return status;
    OrtMemoryInfo* place = nullptr;
    if (OrtStatus* status = ort.CreateCpuMemoryInfo(session::kOrtDeviceAllocator, session::kOrtMemTypeDefault, &place); status != nullptr) {
      return status;
    }
    OrtValue* moved = nullptr;
    OrtStatus* const status = ort.CreateTensorWithDataAsOrtValue(place, outputs[i].memory->data(), shape.bytes, shape.dims.data(),
                                                                 shape.dims.size(), shape.element_type, &moved);
    ort.ReleaseMemoryInfo(place);
    if (status != nullptr) return status;
    ort.ReleaseValue((*values)[i]);
    (*values)[i] = moved;
    books.values[moved] = outputs[i].memory;
  }
  return nullptr;
}

void ReleaseValue(OrtValue* value) {
  TheReal().ort.ReleaseValue(value);
  const Lock lock(TheBooks().mutex);
  TheBooks().values.erase(value);
}

}  // namespace

void ReplaceBindings(OrtFunctions* functions) {
  functions->BindInput = BindInput;
  functions->ClearBoundInputs = ClearBoundInputs;
  functions->BindOutput = BindOutput;
  functions->BindOutputToDevice = BindOutputToDevice;
  functions->ClearBoundOutputs = ClearBoundOutputs;
  functions->ReleaseIoBinding = ReleaseIoBinding;
  functions->RunWithBinding = RunWithBinding;
  functions->GetBoundOutputValues = GetBoundOutputValues;
  functions->ReleaseValue = ReleaseValue;
}

}  // namespace penstock::fake_ort
