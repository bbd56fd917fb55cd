#include "serving/catalog.h"

#include <gtest/gtest.h>

#include "serving/test_model.h"

namespace penstock::serving {
namespace {

Catalog EchoCatalog() {
  Catalog catalog;
  CatalogModel& model = catalog.models["echo"];
  model.versions[1] = {MakeVersion(EchoSpec(1)), "", "", ""};
  model.versions[2] = {MakeVersion(EchoSpec(2)), "", "", ""};
  model.versions[3] = {nullptr, "loading", "", ""};
  model.default_version = 2;
  return catalog;
}

TEST(Catalog, FindsTheDefaultAndEveryReadyVersion) {
  const Catalog catalog = EchoCatalog();
  EXPECT_EQ(catalog.Find("echo", "").value()->version->spec().version, 2);
  EXPECT_EQ(catalog.Find("echo", "1").value()->version->spec().version, 1);
}

TEST(Catalog, UnknownModelsAndVersionsAreNotFound) {
  const Catalog catalog = EchoCatalog();
  const Status model = catalog.Find("ehco", "").status();
  EXPECT_EQ(model.code(), StatusCode::kModelUnknown);
  EXPECT_EQ(model.message(), "Request for unknown model: 'ehco' is not found");
  const Status version = catalog.Find("echo", "7").status();
  EXPECT_EQ(version.code(), StatusCode::kModelUnknown);
  EXPECT_EQ(version.message(), "Request for unknown model: 'echo' version 7 is not found, ready versions: 1, 2");
}

TEST(Catalog, AVersionThatIsNotReadySaysWhy) {
  const Status status = EchoCatalog().Find("echo", "3").status();
  EXPECT_EQ(status.code(), StatusCode::kModelNotReady);
  EXPECT_EQ(status.message(), "model 'echo' version 3 is not ready: loading");
}

TEST(Catalog, AModelWithoutAReadyVersionIsNotFoundAndSaysWhy) {
  Catalog catalog;
  catalog.models["down"].versions[4] = {nullptr, "failed to load", "", ""};
  catalog.models["empty"];
  const Status status = catalog.Find("down", "").status();
  EXPECT_EQ(status.code(), StatusCode::kModelUnknown);
  EXPECT_EQ(status.message(), "Request for unknown model: 'down' has no available versions; version 4 is not ready: failed to load");
  EXPECT_EQ(catalog.Find("empty", "").status().message(), "Request for unknown model: 'empty' has no available versions");
  EXPECT_EQ(catalog.Find("down", "9").status().message(),
            "Request for unknown model: 'down' version 9 is not found, no version is ready");
}

TEST(Catalog, AVersionIsAWholeNumber) {
  const Catalog catalog = EchoCatalog();
  for (const std::string text : {"abc", "-1", "1.0", " 1", "1 ", "0x1", "1234567890123456789"}) {
    const Status status = catalog.Find("echo", text).status();
    EXPECT_EQ(status.code(), StatusCode::kRequestField) << text;
    EXPECT_NE(status.message().find("model_version: found \"" + text + "\""), std::string::npos) << status.message();
  }
  EXPECT_EQ(catalog.Find("echo", "0").status().code(), StatusCode::kModelUnknown);
}

TEST(Catalog, LongNamesAreCutInMessagesBetweenCharacters) {
  std::string name(127, 'm');
  name += "\xC3\xA9";  // one character, across the cut
  const std::string message = Catalog().Find(name, "").status().message();
  EXPECT_NE(message.find("'" + std::string(127, 'm') + "...'"), std::string::npos) << message;
}

TEST(CatalogCell, KnowsPublishedVersionsUntilTheyAreGone) {
  CatalogCell cell;
  auto catalog = std::make_shared<Catalog>(EchoCatalog());
  const std::shared_ptr<ModelVersion> in_use = catalog->models["echo"].versions[1].version;
  cell.Publish(catalog);
  cell.Publish(catalog);
  EXPECT_EQ(cell.Living().size(), 2u) << "each once";
  catalog.reset();
  cell.Publish(std::make_shared<const Catalog>());
  ASSERT_EQ(cell.Living().size(), 1u) << "a retired version with a user";
  EXPECT_EQ(cell.Living()[0], in_use);
  EXPECT_TRUE(cell.Current()->models.empty());
}

}  // namespace
}  // namespace penstock::serving
