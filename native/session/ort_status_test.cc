#include "session/ort_status.h"

#include <gtest/gtest.h>

namespace penstock::session {
namespace {

TEST(CleanOrtMessage, TakesOutSourcePositionsAndSignatures) {
  EXPECT_EQ(CleanOrtMessage("Status Message: /src/core/arena.cc:359 void* ns::Arena::Take(size_t, bool) const No room for 8", ""),
            "Status Message: No room for 8");
  EXPECT_EQ(CleanOrtMessage("/src/a.h:4 ns::F(const std::map<int, int>&) [with T = float] size != 0 was false.", ""),
            "size != 0 was false.");
  EXPECT_EQ(CleanOrtMessage("MatMul: helper.h:59 Compute Dimensions differ", ""), "MatMul: Dimensions differ");
}

TEST(CleanOrtMessage, SurvivesPositionsThatEndTheText) {
  EXPECT_EQ(CleanOrtMessage("bad a.cc:12", ""), "bad");
  EXPECT_EQ(CleanOrtMessage("bad /a/b.cc:12 ", ""), "bad");
  EXPECT_EQ(CleanOrtMessage("a.cc: twice a.cc:", ""), "a.cc: twice a.cc:");
}

TEST(CleanOrtMessage, CutsStackTracesAndJoinsLines) {
  EXPECT_EQ(CleanOrtMessage("one\n two\t\x01three\n\nStacktrace:\n#1", ""), "one two three");
}

TEST(CleanOrtMessage, ShowsFilesWithoutTheirFolders) {
  EXPECT_EQ(CleanOrtMessage("Load /data/m/1/model.onnx: no \"/data/m/1/weights.bin\" in \"/data/m/1\", /data/x/y", "/data/m/1/model.onnx"),
            "Load model.onnx: no \"weights.bin\" in \"1\", y");
}

TEST(CleanOrtMessage, LeavesHostAndSourceOfACudaFailureOut) {
  EXPECT_EQ(CleanOrtMessage("CUDNN failure 5000: CUDNN_STATUS_EXECUTION_FAILED ; \nGPU=0 ; \nhostname=gpu-node-7 ; \nfile=/src/conv.cc ; "
                            "\nline=493 ; \nexpr=cudnnAddTensor(handle, &alpha); ",
                            ""),
            "CUDNN failure 5000: CUDNN_STATUS_EXECUTION_FAILED");
}

TEST(CleanOrtMessage, KeepsNamesOfNodesThatLookLikePaths) {
  EXPECT_EQ(CleanOrtMessage("Name:'/encoder/layer.0/MatMul' failed", "/data/m/1/model.onnx"), "Name:'/encoder/layer.0/MatMul' failed");
}

TEST(CleanOrtMessage, CutsLongTextsBetweenCharacters) {
  std::string text;
  while (text.size() < 2 * kOrtMessageLimit) text += "\xE2\x82\xAC";  // 3 bytes a character
  const std::string cut = CleanOrtMessage(text, "");
  EXPECT_EQ(cut.size(), kOrtMessageLimit / 3 * 3);
}

}  // namespace
}  // namespace penstock::session
