// What the load generator reads and writes, in the machine's byte order.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace penstock::load {

constexpr double kAbsoluteTolerance = 1e-4;  // batch size and thread count change the order of additions
constexpr double kRelativeTolerance = 1e-3;

[[noreturn]] inline void Fail(const std::string& what) {
  std::fprintf(stderr, "http_load: %s\n", what.c_str());
  std::exit(70);
}

// A whole HTTP request, and the values that the body of its answer must end with.
struct Request {
  std::string bytes;
  std::vector<float> expected;
};

// Seconds of the monotonic clock. Status of HTTP: 0 = no answer, -1 = status 200 with wrong values.
struct Record {
  double intended = 0;
  double sent = 0;
  double answered = 0;
  double status = 0;
};

inline std::string ReadFile(const char* path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) Fail(std::string("cannot read ") + path);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

inline std::string TakeSized(const std::string& file, size_t* at) {
  uint32_t size = 0;
  if (file.size() - *at < sizeof size) Fail("the file of requests is cut");
  std::memcpy(&size, file.data() + *at, sizeof size);
  *at += sizeof size;
  if (file.size() - *at < size) Fail("the file of requests is cut");
  *at += size;
  return file.substr(*at - size, size);
}

// For each request uint32 size, bytes, uint32 size, bytes of FP32 values.
inline std::vector<Request> ReadRequests(const char* path) {
  const std::string file = ReadFile(path);
  std::vector<Request> requests;
  for (size_t at = 0; at < file.size();) {
    Request request;
    request.bytes = TakeSized(file, &at);
    const std::string values = TakeSized(file, &at);
    request.expected.resize(values.size() / sizeof(float));
    std::memcpy(request.expected.data(), values.data(), request.expected.size() * sizeof(float));
    requests.push_back(std::move(request));
  }
  if (requests.empty()) Fail("there is no request to send");
  return requests;
}

// Seconds from the start, float64, rising.
inline std::vector<double> ReadSchedule(const char* path) {
  const std::string file = ReadFile(path);
  std::vector<double> schedule(file.size() / sizeof(double));
  std::memcpy(schedule.data(), file.data(), schedule.size() * sizeof(double));
  return schedule;
}

inline void WriteRecords(const char* path, const std::vector<Record>& records) {
  std::ofstream file(path, std::ios::binary);
  file.write(reinterpret_cast<const char*>(records.data()), static_cast<std::streamsize>(records.size() * sizeof(Record)));
  if (!file.flush()) Fail(std::string("cannot write ") + path);
}

// Whether the body of an answer ends with these values.
inline bool Agrees(std::string_view body, const std::vector<float>& expected) {
  const size_t size = expected.size() * sizeof(float);
  if (body.size() < size) return false;
  for (size_t i = 0; i < expected.size(); ++i) {
    float value = 0;
    std::memcpy(&value, body.data() + body.size() - size + i * sizeof value, sizeof value);
    if (!(std::fabs(value - expected[i]) <= kAbsoluteTolerance + kRelativeTolerance * std::fabs(expected[i]))) return false;
  }
  return true;
}

}  // namespace penstock::load
