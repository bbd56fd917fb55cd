#include "ort_script.h"

#include <sys/stat.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
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

using std::chrono::nanoseconds;
using std::chrono::steady_clock;

constexpr const char* kPerRow = "/row";

struct Rule {
  std::string action;  // fail, hang, delay
  std::string function;
  std::string text;              // of the failure
  nanoseconds delay{0};
  nanoseconds per_row{0};        // above 0: the run as a whole takes the delay and this for each row
  uint64_t after = 0;            // calls that pass before it strikes
  uint64_t times = UINT64_MAX;   // calls that it strikes
  uint64_t seen = 0;
};

[[noreturn]] void Die(const std::string& line, const char* why) {
  std::fprintf(stderr, "fake ONNX Runtime: '%s': %s\n", line.c_str(), why);
  std::abort();
}

// Such as 20ms or 300us/row.
nanoseconds ParseTime(const std::string& line, const std::string& word) {
  std::istringstream time(word);
  int64_t count = 0;
  std::string unit;
  time >> count >> unit;
  unit = unit.substr(0, unit.find(kPerRow));
  if (count < 0 || (unit != "ms" && unit != "us")) Die(line, "a time is like 20ms or 300us");
  return unit == "ms" ? nanoseconds(std::chrono::milliseconds(count)) : nanoseconds(std::chrono::microseconds(count));
}

Rule ParseRule(const std::string& line, std::istringstream& words) {
  Rule rule;
  words >> rule.action >> rule.function;
  static const std::set<std::string> known = {"Run", "RunWithBinding", "RunGraph", "BindInput", "CreateSession", "ReleaseSession"};
  if (known.count(rule.function) == 0) Die(line, "no such function");
  if (rule.action == "fail") {
    words >> std::quoted(rule.text);
    if (rule.text.empty()) Die(line, "a failure has a text");
  } else if (rule.action == "delay") {
    std::string time;
    words >> time;
    rule.delay = ParseTime(line, time);
  } else if (rule.action != "hang") {
    Die(line, "calls can fail, hang or be delayed");
  }
  for (std::string key; words >> key && key[0] != '#';) {
    if (rule.action == "delay" && rule.function == "RunWithBinding" && key.find(kPerRow) != std::string::npos) {
      rule.per_row = ParseTime(line, key);
      continue;
    }
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

std::string BeginCall(const std::string& function) { return BeginRun(function, 0).failure; }

RunOrder BeginRun(const std::string& function, int64_t rows) {
  RunOrder order;
  const steady_clock::time_point begin = steady_clock::now();
  State& state = TheState();
  nanoseconds delay{0};
  nanoseconds whole{0};
  bool hangs = false;
  {
    const std::lock_guard<std::mutex> lock(state.mutex);
    state.FollowFile();
    ++state.calls[function];
    for (Rule& rule : state.rules) {
      if (rule.function != function) continue;
      const uint64_t before = rule.seen++;
      if (before < rule.after || before - rule.after >= rule.times) continue;
      (rule.per_row > nanoseconds(0) ? whole : delay) += rule.delay + rule.per_row * rows;
      hangs = hangs || rule.action == "hang";
      if (order.failure.empty()) order.failure = rule.text;
    }
  }
  order.ends = begin + delay + whole;
  std::this_thread::sleep_for(delay);
  while (hangs) std::this_thread::sleep_for(std::chrono::hours(1));
  return order;
}

// steady_clock is CLOCK_MONOTONIC here.
void WaitUntil(steady_clock::time_point moment) {
  const int64_t ns = nanoseconds(moment.time_since_epoch()).count();
  const timespec at = {static_cast<time_t>(ns / 1'000'000'000), static_cast<long>(ns % 1'000'000'000)};
  while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, nullptr) == EINTR) {
  }
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
