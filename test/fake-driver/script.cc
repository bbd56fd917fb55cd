#include "script.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <map>
#include <sstream>

#include "functions.h"
#include "script_line.h"

namespace penstock::fake_driver {
namespace {

constexpr size_t kMaxGpus = 16;
constexpr size_t kMaxMig = 7;  // as many as an A100 has

std::string Uuid(const char* kind, size_t gpu, size_t part) {
  char text[64];
  std::snprintf(text, sizeof(text), "%s-fa4e%02zx%02zx-0000-4000-8000-000000000000", kind, gpu, part);
  return text;
}

void SetGpuCount(Script* script, size_t count) {
  const size_t before = script->gpus.size();
  script->gpus.resize(count);
  for (size_t each = before; each < count; ++each) {
    char pci[32];
    std::snprintf(pci, sizeof(pci), "0000:%02zx:00.0", each + 1);
    script->gpus[each].uuid = Uuid("GPU", each, 0);
    script->gpus[each].pci_bus_id = pci;
  }
}

std::string ReadUuid(Line* line, const std::string& kind) {
  const std::string& uuid = line->Word();
  const std::string shape = kind + "-xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
  const bool fits = uuid.size() == shape.size() && std::equal(uuid.begin(), uuid.end(), shape.begin(), [](char is, char wanted) {
                      return wanted == 'x' ? std::isxdigit(static_cast<unsigned char>(is)) != 0 : is == wanted;
                    });
  if (!fits) line->Fail("'" + uuid + "' is not like " + shape);
  return uuid;
}

void ReadGpu(Line* line, Script* script) {
  const size_t index = line->Index(script->gpus.size(), "GPU");
  GpuScript* gpu = &script->gpus[index];
  while (!line->done()) {
    const std::string key = line->Word();
    if (key == "uuid") {
      gpu->uuid = ReadUuid(line, "GPU");
    } else if (key == "memory") {
      gpu->memory_bytes = line->Bytes();
    } else if (key == "used-by-others") {
      gpu->used_by_others_bytes = line->Bytes();
    } else if (key == "compute") {
      if (std::sscanf(line->Word().c_str(), "%d.%d", &gpu->compute_major, &gpu->compute_minor) != 2) line->Fail("compute is like 9.0");
    } else if (key == "name") {
      gpu->name = line->Word();
    } else if (key == "pci") {
      gpu->pci_bus_id = line->Word();
    } else if (key == "mig") {
      const size_t count = line->Index(kMaxMig + 1, "number of MIG devices");
      gpu->mig.clear();
      for (size_t each = 0; each < count; ++each) gpu->mig.push_back({Uuid("MIG", index, each + 1), gpu->memory_bytes / count});
    } else {
      line->Fail("'" + key + "' is not known of a GPU");
    }
  }
}

void ReadMig(Line* line, Script* script) {
  GpuScript* gpu = &script->gpus[line->Index(script->gpus.size(), "GPU")];
  MigScript* mig = &gpu->mig[line->Index(gpu->mig.size(), "MIG device")];
  while (!line->done()) {
    const std::string key = line->Word();
    if (key == "uuid") {
      mig->uuid = ReadUuid(line, "MIG");
    } else if (key == "memory") {
      mig->memory_bytes = line->Bytes();
    } else {
      line->Fail("'" + key + "' is not known of a MIG device");
    }
  }
}

void ReadNvml(Line* line, Script* script) {
  NvmlScript* nvml = &script->gpus[line->Index(script->gpus.size(), "GPU")].nvml;
  const auto small = [line] { return static_cast<unsigned>(line->Index(1ull << 32, "reading")); };
  const std::map<std::string, std::function<void()>> keys = {
      {"temperature", [&] { nvml->temperature_celsius = small(); }},
      {"power-mw", [&] { nvml->power_mw = small(); }},
      {"power-limit-mw", [&] { nvml->power_limit_mw = small(); }},
      {"energy-mj", [&] { nvml->energy_mj = line->Number(); }},
      {"utilization", [&] { nvml->utilization_percent = small(); }},
      {"throttle", [&] { nvml->throttle_reasons = line->Number(); }},
      {"ecc-corrected", [&] { nvml->ecc_corrected = line->Number(); }},
      {"ecc-uncorrected", [&] { nvml->ecc_uncorrected = line->Number(); }},
      {"remapped-corrected", [&] { nvml->remapped_rows_corrected = small(); }},
      {"remapped-uncorrected", [&] { nvml->remapped_rows_uncorrected = small(); }},
      {"pcie-tx-kb", [&] { nvml->pcie_tx_kb_per_second = small(); }},
      {"pcie-rx-kb", [&] { nvml->pcie_rx_kb_per_second = small(); }},
      {"recovery-action", [&] { nvml->recovery_action = small(); }},
      {"memory-used", [&] { nvml->memory_used_bytes = static_cast<int64_t>(line->Bytes()); }},
      {"lost", [&] { nvml->lost = true; }},
      {"remap",
       [&] {
         const std::string& word = line->Word();
         if (word != "pending" && word != "failed") line->Fail("remap is pending or failed");
         (word == "pending" ? nvml->remap_pending : nvml->remap_failed) = true;
       }},
  };
  do {
    const std::string key = line->Word();
    const auto found = keys.find(key);
    if (found == keys.end()) line->Fail("'" + key + "' is not known of NVML");
    found->second();
  } while (!line->done());
}

void CheckFunction(const Line& line, const Rule& rule, const std::string& word) {
  const auto& names = FunctionNames();
  const auto fits = [&rule](const std::string& name) { return rule.Names(name); };
  if (std::none_of(names.begin(), names.end(), fits)) line.Fail("the fake driver has no function '" + word + "'");
  const bool of_work = rule.action == Action::kAsyncSticky || rule.action == Action::kAsyncHang || rule.action == Action::kCorrupt;
  const auto works = [&](const std::string& name) {
    return !fits(name) || (IsAsynchronous(name) && (rule.action != Action::kCorrupt || name != "cuLaunchKernel"));
  };
  if (of_work && !std::all_of(names.begin(), names.end(), works)) line.Fail("'" + word + "' leaves no such work to a stream");
}

void ReadRule(Line* line, Action action, Script* script) {
  Rule* rule = &script->rules.emplace_back();
  rule->action = action;
  const std::string word = line->Word();
  rule->is_prefix = !word.empty() && word.back() == '*';
  rule->function = rule->is_prefix ? word.substr(0, word.size() - 1) : word;
  CheckFunction(*line, *rule, word);
  if (action == Action::kFail || action == Action::kSticky || action == Action::kAsyncSticky) {
    rule->code = static_cast<int>(line->Index(100'000, "code"));
    if (rule->code == 0) line->Fail("0 is no failure");
  }
  if (action == Action::kDelay) rule->delay = line->Duration();
  while (!line->done()) {
    const std::string key = line->Word();
    if (key == "after") {
      rule->after = line->Number();
    } else if (key == "times") {
      rule->times = line->Number();
    } else if (key == "gpu") {
      rule->gpu = static_cast<int>(line->Index(script->gpus.size(), "GPU"));
    } else {
      line->Fail("'" + key + "' is not known of a fault");
    }
  }
}

void ReadLine(Line* line, Script* script) {
  static const std::map<std::string, Action> kActions = {
      {"fail", Action::kFail}, {"sticky", Action::kSticky},        {"async-sticky", Action::kAsyncSticky}, {"delay", Action::kDelay},
      {"hang", Action::kHang}, {"async-hang", Action::kAsyncHang}, {"corrupt", Action::kCorrupt}};
  if (line->done()) return;
  const std::string key = line->Word();
  if (key == "gpus") {
    SetGpuCount(script, line->Index(kMaxGpus + 1, "number of GPUs"));
  } else if (key == "gpu") {
    ReadGpu(line, script);
  } else if (key == "mig") {
    ReadMig(line, script);
  } else if (key == "nvml") {
    ReadNvml(line, script);
  } else if (key == "xid") {
    const size_t gpu = line->Index(script->gpus.size(), "GPU");
    script->xids.push_back({static_cast<int>(gpu), line->Number()});
  } else if (key == "ort") {  // for the stand-in for ONNX Runtime's CUDA provider
    while (!line->done()) line->Word();
  } else if (key == "driver") {
    script->cuda_version = static_cast<int>(line->Index(1'000'000, "version"));
    if (!line->done()) script->driver_version = line->Word();
  } else if (const auto action = kActions.find(key); action != kActions.end()) {
    ReadRule(line, action->second, script);
  } else {
    line->Fail("'" + key + "' means nothing");
  }
  if (!line->done()) line->Fail("'" + line->Word() + "' is too much");
}

}  // namespace

bool Rule::Names(const std::string& name) const {
  if (!is_prefix) return name == function;
  // Names of errors are a table: they can be had from a driver that has lost everything else.
  return name.compare(0, function.size(), function) == 0 && name != "cuGetErrorName" && name != "cuGetErrorString";
}

Script* Script::Parse(const std::string& text) {
  auto* script = new Script;
  SetGpuCount(script, 1);
  std::istringstream lines(text);
  std::string line;
  for (size_t number = 1; std::getline(lines, line); ++number) {
    Line words(line, number);
    ReadLine(&words, script);
  }
  return script;
}

const std::vector<std::string>& FunctionNames() {
#define FAKE_NAME(name, parameters) #name,
  // Never destroyed: other threads may ask while the process ends.
  static const auto& names =
      *new std::vector<std::string>{PENSTOCK_CUDA_FUNCTIONS(FAKE_NAME) FAKE_CUDA_EXTRA_FUNCTIONS(FAKE_NAME) FAKE_NVML_FUNCTIONS(FAKE_NAME)};
#undef FAKE_NAME
  return names;
}

size_t FunctionNumber(const char* name) {
  const auto& names = FunctionNames();
  const auto found = std::find(names.begin(), names.end(), name);
  if (found == names.end()) Die(std::string("it has no function '") + name + "'");
  return static_cast<size_t>(found - names.begin());
}

bool IsAsynchronous(const std::string& name) { return name == "cuLaunchKernel" || name.find("Async") != std::string::npos; }

void Die(const std::string& message) {
  std::fprintf(stderr, "fake driver: %s\n", message.c_str());
  std::fflush(stderr);
  std::abort();
}

}  // namespace penstock::fake_driver
