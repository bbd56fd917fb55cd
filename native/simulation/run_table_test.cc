#include "simulation/run_table.h"

#include <gtest/gtest.h>

#include <vector>

namespace penstock::simulation {
namespace {

TEST(RunTable, DrawsInAStraightLineBetweenQuantiles) {
  const std::vector<RunQuantiles> quantiles = {{1, {100, 200, 600}}};
  const RunTable table(quantiles);
  EXPECT_DOUBLE_EQ(table.Ns(1, 0), 100);
  EXPECT_DOUBLE_EQ(table.Ns(1, 0.25), 150);
  EXPECT_DOUBLE_EQ(table.Ns(1, 0.5), 200);
  EXPECT_DOUBLE_EQ(table.Ns(1, 0.75), 400);
  EXPECT_DOUBLE_EQ(table.Ns(1, 1), 600);
}

TEST(RunTable, DrawsBetweenAndBeyondTheSizesThatItHas) {
  const std::vector<RunQuantiles> quantiles = {{2, {100, 300}}, {4, {200, 300}}, {8, {600}}};
  const RunTable table(quantiles);
  EXPECT_DOUBLE_EQ(table.Ns(1, 0), 100);  // a smaller batch is not known to be faster
  EXPECT_DOUBLE_EQ(table.Ns(3, 0), 150);
  EXPECT_DOUBLE_EQ(table.Ns(3, 1), 300);
  EXPECT_DOUBLE_EQ(table.Ns(4, 0.5), 250);
  EXPECT_DOUBLE_EQ(table.Ns(6, 0), 400);
  EXPECT_DOUBLE_EQ(table.Ns(12, 0), 1000);
  EXPECT_DOUBLE_EQ(table.Ns(12, 1), 900);
}

TEST(RunTable, DoesNotBelieveThatBatchesBecomeFasterBeyondTheLast) {
  const std::vector<RunQuantiles> quantiles = {{1, {100}}, {2, {90}}};
  EXPECT_DOUBLE_EQ(RunTable(quantiles).Ns(10, 0.5), 90);
}

TEST(RunTable, TakesOneSizeAsProportionalBeyondIt) {
  const std::vector<RunQuantiles> quantiles = {{4, {400}}};
  const RunTable table(quantiles);
  EXPECT_DOUBLE_EQ(table.Ns(1, 0.5), 400);
  EXPECT_DOUBLE_EQ(table.Ns(8, 0.5), 800);
}

TEST(RunTable, BoundsWhatItDrawsWhateverTheShareAndTheRows) {
  const std::vector<std::vector<RunQuantiles>> all = {{{1, {900}}, {2, {90}}},           // small batches are the slow ones
                                                      {{1, {0, 100}}, {2, {100}}},       // fast runs grow more than slow ones
                                                      {{1, {0, 0, 100}}, {2, {0, 100, 100}}},  // those between do
                                                      {{4, {10, 400}}}};
  for (const std::vector<RunQuantiles>& quantiles : all) {
    const RunTable table(quantiles);
    for (const int64_t most : {1, 2, 3, 10, 1000}) {
      for (int64_t rows = 1; rows <= most; ++rows) {
        for (const double share : {0.0, 0.25, 0.5, 1.0}) EXPECT_LE(table.Ns(rows, share), table.MostNs(most)) << rows << " at " << share;
      }
    }
  }
  EXPECT_DOUBLE_EQ(RunTable(all[0]).MostNs(10), 900);
}

}  // namespace
}  // namespace penstock::simulation
