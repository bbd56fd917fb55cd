#include "session/ort_environment.h"

#include <dlfcn.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include "device/test_driver.h"
#include "session/ort_test_fixture.h"

namespace penstock::session {
namespace {

bool Contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

// ONNX Runtime starts once a process, so these tests run in children that start afresh.
class OrtEnvironmentTest : public testing::Test {
 protected:
  void SetUp() override { testing::FLAGS_gtest_death_test_style = "threadsafe"; }

  [[noreturn]] static void Exit(const Status& status) {
    std::fprintf(stderr, "%s: %s\n", StatusCodeName(status.code()), status.message().c_str());
    std::_Exit(0);
  }

  // A library that is certainly there and certainly not ONNX Runtime: the one with the C functions.
  static std::string OtherLibrary() {
    Dl_info info{};
    dladdr(dlsym(RTLD_NEXT, "fprintf"), &info);
    return info.dli_fname;
  }
};

TEST_F(OrtEnvironmentTest, OpensNoSessionBeforeItIsStarted) {
  EXPECT_EXIT(Exit(OpenOrtSession({FixtureModel("scalar"), 0}).status()), testing::ExitedWithCode(0), "ERR_CLOSED");
}

TEST_F(OrtEnvironmentTest, NamesThePathOfAMissingLibrary) {
  EXPECT_EXIT(Exit(StartOrt({"/no/such/libonnxruntime.so.1", 1})), testing::ExitedWithCode(0),
              "ERR_ORT_LIBRARY: cannot use '/no/such/libonnxruntime.so.1'.*No such file");
}

TEST_F(OrtEnvironmentTest, RefusesAFileThatIsNoLibrary) {
  EXPECT_EXIT(Exit(StartOrt({PENSTOCK_SOURCE_DIR "/package.json", 1})), testing::ExitedWithCode(0), "ERR_ORT_LIBRARY: .*package.json");
}

TEST_F(OrtEnvironmentTest, RefusesALibraryThatIsNotOnnxRuntime) {
  EXPECT_EXIT(Exit(StartOrt({OtherLibrary(), 1})), testing::ExitedWithCode(0), "ERR_ORT_LIBRARY: .*does not export OrtGetApiBase");
}

TEST_F(OrtEnvironmentTest, RefusesANameThatTheLoaderWouldSearchFor) {
  EXPECT_EXIT(Exit(StartOrt({"libonnxruntime.so.1", 1})), testing::ExitedWithCode(0), "ERR_ORT_LIBRARY: .*expected a path with a folder");
}

TEST_F(OrtEnvironmentTest, RefusesAPoolWithoutThreads) {
  EXPECT_EXIT(Exit(StartOrt({OrtLibraryPath(), 0})), testing::ExitedWithCode(0), "ERR_CONFIG_OPTION: intra_op_threads: found 0");
}

TEST_F(OrtEnvironmentTest, StartsAfterAFailedAttempt) {
  const auto start = [] {
    (void)StartOrt({"/no/such/library", 1});
    Exit(StartOrt({OrtLibraryPath(), 1}));
  };
  EXPECT_EXIT(start(), testing::ExitedWithCode(0), "OK: ");
}

TEST_F(OrtEnvironmentTest, StartsOnceAndRefusesAnotherLibrary) {
  ASSERT_TRUE(StartOrtForTests().ok());
  EXPECT_TRUE(StartOrtForTests(7).ok());
  EXPECT_EQ(OrtVersion().substr(0, 2), "1.");
  const Status other = StartOrt({OtherLibrary(), 1});
  EXPECT_EQ(other.code(), StatusCode::kOrtLibrary);
  EXPECT_TRUE(Contains(other.message(), "already runs")) << other.message();
}

// The real library, in a folder of links as `npm run install:cuda` makes it, with `provider` as the text of both provider libraries.
std::string FolderWithProvider(const std::string& provider) {
  const std::filesystem::path folder = std::filesystem::path(testing::TempDir()) / ("penstock_provider_" + std::to_string(getpid()));
  std::filesystem::create_directories(folder);
  std::filesystem::create_symlink(OrtLibraryPath(), folder / "libonnxruntime.so.1");
  for (const char* library : {"libonnxruntime_providers_shared.so", "libonnxruntime_providers_cuda.so"}) {
    std::ofstream(folder / library) << provider;
  }
  return folder.string();
}

Status OpenOnGpu(const std::string& library) {
  const device::FakeDriver driver;
  PENSTOCK_RETURN_IF_ERROR(StartOrt({library, 1}));
  SessionOptions options;
  options.model_path = FixtureModel("scalar");
  options.gpus = {driver.First()};
  return OpenOrtSession(options).status();
}

TEST_F(OrtEnvironmentTest, SaysHowToGetAProviderThatIsNotInstalled) {
  EXPECT_EXIT(Exit(OpenOnGpu(OrtLibraryPath())), testing::ExitedWithCode(0),
              "ERR_CUDA_PROVIDER: ONNX Runtime 1.*: libonnxruntime_providers_cuda.so is not installed; `npm run install:cuda`");
}

TEST_F(OrtEnvironmentTest, SaysWhyAProviderCannotBeLoaded) {
  const auto open = [] {
    const std::string folder = FolderWithProvider("no library, whatever its name says");
    const Status status = OpenOnGpu(folder + "/libonnxruntime.so.1");
    std::filesystem::remove_all(folder);
    Exit(status);
  };
  EXPECT_EXIT(open(), testing::ExitedWithCode(0), "ERR_CUDA_PROVIDER: .*: libonnxruntime_providers_cuda.so: .*; `npm run install:cuda`");
}

}  // namespace
}  // namespace penstock::session
