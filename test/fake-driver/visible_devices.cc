#include "visible_devices.h"

#include <algorithm>
#include <cstdlib>
#include <sstream>

namespace penstock::fake_driver {
namespace {

bool BeginsWith(const std::string& text, const std::string& beginning) { return text.compare(0, beginning.size(), beginning) == 0; }

// A GPU in MIG mode can be used through its MIG devices only; CUDA takes the first.
VisibleDevice WholeOrFirstMig(const Script& script, size_t gpu) { return {static_cast<int>(gpu), script.gpus[gpu].mig.empty() ? -1 : 0}; }

std::vector<VisibleDevice> ByUuid(const Script& script, const std::string& beginning) {
  std::vector<VisibleDevice> found;
  for (size_t gpu = 0; gpu < script.gpus.size(); ++gpu) {
    if (BeginsWith(script.gpus[gpu].uuid, beginning)) found.push_back(WholeOrFirstMig(script, gpu));
    for (size_t mig = 0; mig < script.gpus[gpu].mig.size(); ++mig) {
      if (BeginsWith(script.gpus[gpu].mig[mig].uuid, beginning)) found.push_back({static_cast<int>(gpu), static_cast<int>(mig)});
    }
  }
  return found;
}

std::vector<VisibleDevice> Named(const Script& script, const std::string& word) {
  if (BeginsWith(word, "GPU-") || BeginsWith(word, "MIG-")) return ByUuid(script, word);
  char* end = nullptr;
  const unsigned long index = std::strtoul(word.c_str(), &end, 10);
  if (word.empty() || *end != '\0' || word[0] == '-' || index >= script.gpus.size()) return {};
  return {WholeOrFirstMig(script, index)};
}

std::vector<VisibleDevice> Listed(const Script& script, const char* visible) {
  std::vector<VisibleDevice> devices;
  if (visible == nullptr) {
    for (size_t gpu = 0; gpu < script.gpus.size(); ++gpu) devices.push_back(WholeOrFirstMig(script, gpu));
    return devices;
  }
  std::istringstream words(visible);
  std::string word;
  while (std::getline(words, word, ',')) {
    const auto found = Named(script, word);
    if (found.size() != 1) break;
    const auto same = [&](const VisibleDevice& each) { return each.gpu == found[0].gpu && each.mig == found[0].mig; };
    if (std::any_of(devices.begin(), devices.end(), same)) break;
    devices.push_back(found[0]);
  }
  return devices;
}

}  // namespace

std::vector<VisibleDevice> FindVisibleDevices(const Script& script, const char* visible) {
  std::vector<VisibleDevice> devices = Listed(script, visible);
  const auto mig = std::find_if(devices.begin(), devices.end(), [](const VisibleDevice& each) { return each.mig >= 0; });
  if (mig != devices.end()) return {*mig};
  return devices;
}

}  // namespace penstock::fake_driver
