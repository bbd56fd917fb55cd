#include "ort_script.h"

#include <sys/stat.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iomanip>
#include <map>
#include <mutex>
#include <set>
#include <sstream>
#include <thread>
#include <vector>

namespace penstock::fake_ort {
namespace {

struct Rule {
  std::string action;  // fail, hang, delay
  std::string function;
  std::string text;              // of the failure
  std::chrono::milliseconds delay{0};
  uint64_t after = 0;            // calls that pass before it strikes
  uint64_t times = UINT64_MAX;   // calls that it strikes
  uint64_t seen = 0;
};

[[noreturn]] void Die(const std::string& line, const char* why) {
  std::fprintf(stderr, "fake ONNX Runtime: '%s': %s\n", line.c_str(), why);
  std::abort();
}

Rule ParseRule(const std::string& line, std::istringstream& words) {
  Rule rule;
  words >> rule.action >> rule.function;
  static const std::set<std::string> known = {"Run", "RunWithBinding", "BindInput", "CreateSession", "ReleaseSession"};
  if (known.count(rule.function) == 0) Die(line, "no such function");
  if (rule.action == "fail") {
    words >> std::quoted(rule.text);
    if (rule.text.empty()) Die(line, "a failure has a text");
  } else if (rule.action == "delay") {
    std::string unit;
    int64_t count = 0;
    words >> count >> unit;
    if (unit != "ms") Die(line, "a delay is like 20ms");
    rule.delay = std::chrono::milliseconds(count);
  } else if (rule.action != "hang") {
    Die(line, "calls can fail, hang or be delayed");
  }
  for (std::string key; words >> key && key[0] != '#';) {
    if (key != "after" && key != "times") Die(line, "only after and times may follow");
    if (!(words >> (key == "after" ? rule.after : rule.times))) Die(line, "a number is missing");
  }
  return rule;
}

std::vector<Rule> Parse(const std::string& text) {
  std::vector<Rule> rules;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string first;
    if (words >> first && first == "ort") rules.push_back(ParseRule(line, words));
  }
  return rules;
}

struct State {
  std::mutex mutex;
  std::vector<Rule> rules;
  std::map<std::string, uint64_t> calls;
  const char* file = std::getenv("FAKE_GPU_SCRIPT");
  struct timespec read_at {};
  off_t read_size = -1;

  void FollowFile() {  // mutex is held
    struct stat now {};
    if (file == nullptr || stat(file, &now) != 0) return;
    if (now.st_mtim.tv_sec == read_at.tv_sec && now.st_mtim.tv_nsec == read_at.tv_nsec && now.st_size == read_size) return;
    read_at = now.st_mtim;
    read_size = now.st_size;
    std::ostringstream text;
    text << std::ifstream(file).rdbuf();
    rules = Parse(text.str());
  }
};

// Never destroyed: hung calls outlive main.
State& TheState() {
  static State& state = *new State;
  return state;
}

}  // namespace

std::string BeginCall(const std::string& function) {
  State& state = TheState();
  std::chrono::milliseconds delay{0};
  bool hangs = false;
  std::string failure;
  {
    const std::lock_guard<std::mutex> lock(state.mutex);
    state.FollowFile();
    ++state.calls[function];
    for (Rule& rule : state.rules) {
      if (rule.function != function) continue;
      const uint64_t before = rule.seen++;
      if (before < rule.after || before - rule.after >= rule.times) continue;
      delay += rule.delay;
      hangs = hangs || rule.action == "hang";
      if (failure.empty()) failure = rule.text;
    }
  }
  std::this_thread::sleep_for(delay);
  while (hangs) std::this_thread::sleep_for(std::chrono::hours(1));
  return failure;
}

void SetScript(const std::string& text) {
  State& state = TheState();
  const std::lock_guard<std::mutex> lock(state.mutex);
  state.file = nullptr;
  state.rules = Parse(text);
  state.calls.clear();
}

uint64_t Calls(const std::string& function) {
  State& state = TheState();
  const std::lock_guard<std::mutex> lock(state.mutex);
  return state.calls[function];
}

}  // namespace penstock::fake_ort
