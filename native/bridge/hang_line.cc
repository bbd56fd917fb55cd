#include "bridge/hang_line.h"

#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <ctime>
#include <string>

#include "codec/json_string.h"

namespace penstock::bridge {
namespace {

// "2026-01-31T12:00:00.123Z"
std::string IsoTime() {
  const auto now = std::chrono::system_clock::now();
  const std::time_t seconds = std::chrono::system_clock::to_time_t(now);
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch()).count() % 1000;
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  char date[32];
  std::strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &parts);
  char text[48];
  std::snprintf(text, sizeof(text), "%s.%03dZ", date, static_cast<int>(ms));
  return text;
}

void AddText(const char* name, const std::string& text, std::string* line) {
  *line += std::string(",\"") + name + "\":";
  if (!codec::AppendJsonString(text, line)) *line += "\"\"";
}

}  // namespace

void WriteHangLine(const pipeline::HungRun& run) {
  const std::string running = std::to_string(run.running_ms);
  const std::string allowed = std::to_string(run.allowed_ms);
  std::string line = "{\"level\":\"fatal\",\"time\":\"" + IsoTime() + "\",\"name\":\"watchdog\",\"cause\":\"hang\",\"exit_code\":134";
  AddText("model", run.model, &line);
  AddText("gpu_uuid", run.gpu, &line);
  line += ",\"running_ms\":" + running + ",\"allowed_ms\":" + allowed;
  AddText("msg", "GPU " + run.gpu + ": a batch of " + run.model + " has not ended for " + running + " ms, where " + allowed +
                     " ms are allowed; aborting", &line);
  line += "}\n";
  // Nothing is left to do for whoever cannot write it.
  if (write(STDERR_FILENO, line.data(), line.size()) < 0) return;
}

}  // namespace penstock::bridge
