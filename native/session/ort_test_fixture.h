// What the tests of this folder share: the library, the fixture models, and a writer of tiny models for the odd cases.
#pragma once

#include <gtest/gtest.h>
#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/lsan_interface.h>
#endif

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "session/fake_ort.h"
#include "session/ort_environment.h"

namespace penstock::session {

inline std::string OrtLibraryPath() {
#if defined(__aarch64__)
  return PENSTOCK_SOURCE_DIR "/node_modules/onnxruntime-node/bin/napi-v6/linux/arm64/libonnxruntime.so.1";
#else
  return PENSTOCK_SOURCE_DIR "/node_modules/onnxruntime-node/bin/napi-v6/linux/x64/libonnxruntime.so.1";
#endif
}

inline std::string FixtureModel(const std::string& name) {
  return PENSTOCK_SOURCE_DIR "/test/fixtures/" + (name.find('/') == std::string::npos ? "models/" + name : name) + "/1/model.onnx";
}

// Protocol buffer fields: enough to write a model of at most one node.
inline std::string Varint(uint64_t value) {
  std::string out;
  for (; value >= 0x80; value >>= 7) out += static_cast<char>(value | 0x80);
  return out + static_cast<char>(value);
}
inline std::string Field(int number, uint64_t value) { return Varint(number << 3) + Varint(value); }
inline std::string Field(int number, const std::string& value) { return Varint(number << 3 | 2) + Varint(value.size()) + value; }

// One graph input or output: a tensor of ONNX `element_type` with the dims ["rows", 3].
inline std::string TensorInfo(const std::string& name, int element_type) {
  const std::string shape = Field(1, Field(2, std::string("rows"))) + Field(1, Field(1, uint64_t{3}));
  return Field(1, name) + Field(2, Field(1, Field(1, static_cast<uint64_t>(element_type)) + Field(2, shape)));
}

// A model with the given fields of its graph, and further fields of the model itself.
inline std::string ModelBytes(const std::string& graph, const std::string& more = {}) {
  return Field(1, uint64_t{9}) + Field(7, graph + Field(2, std::string("graph of a test"))) +
         Field(8, Field(1, std::string()) + Field(2, uint64_t{19})) + more;
}

// StartOrt with the real library behind the stand-in for its CUDA provider: a process can start one library only. Unseen by the leak
// checker: the environment lives until the process ends, and the library itself loses 14 bytes while it reads the processor's features.
// Everything made later is checked, objects of the library included.
inline Status StartOrtForTests(int threads = 1) {
#if defined(__SANITIZE_ADDRESS__)
  const __lsan::ScopedDisabler disabler;
#endif
  return StartOrt({FakeOrt::Library(), threads});
}

class OrtTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    const Status started = StartOrtForTests();
    ASSERT_TRUE(started.ok()) << started.message();
  }

  void SetUp() override {
    const testing::TestInfo* test = testing::UnitTest::GetInstance()->current_test_info();
    folder_ = std::filesystem::path(testing::TempDir()) / (std::string("penstock_") + test->test_suite_name() + "_" + test->name());
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string WriteModel(const std::string& bytes) const {
    const std::string path = (folder_ / "model.onnx").string();
    std::ofstream(path, std::ios::binary) << bytes;
    return path;
  }

  static std::shared_ptr<Session> Open(const std::string& path, int threads = 0) {
    Result<std::shared_ptr<Session>> session = OpenOrtSession({path, threads});
    EXPECT_TRUE(session.ok()) << session.status().message();
    return session.ok() ? session.value() : nullptr;
  }

  // A tensor that owns a copy of `bytes` on the heap, so that a sanitizer sees any use after it is dropped.
  static Tensor MakeTensor(DataType dtype, std::vector<int64_t> dims, const std::string& bytes) {
    const auto owner = std::make_shared<std::vector<uint8_t>>(bytes.begin(), bytes.end());
    return Tensor{dtype, std::move(dims), memory::Slice{owner->data(), owner->size(), memory::MemoryKind::kPageable, owner}};
  }

  template <typename T>
  static std::string BytesOf(const std::vector<T>& values) {
    return std::string(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T));
  }

  static std::string BytesOf(const Tensor& tensor) {
    return std::string(reinterpret_cast<const char*>(tensor.bytes.data), tensor.bytes.size);
  }

  static Tensor Floats(std::vector<int64_t> dims, const std::vector<float>& values) {
    return MakeTensor(DataType::kFp32, std::move(dims), BytesOf(values));
  }

  // Runs every output with a control of its own.
  static Status Run(const Session& session, const std::vector<Tensor>& inputs, std::vector<Tensor>* results) {
    std::vector<size_t> outputs(session.signature().outputs.size());
    for (size_t i = 0; i < outputs.size(); ++i) outputs[i] = i;
    return session.Run(inputs, outputs, *session.NewRunControl(), results);
  }

  std::filesystem::path folder_;
};

}  // namespace penstock::session
