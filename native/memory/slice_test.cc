#include "memory/slice.h"

#include <gtest/gtest.h>

#include <string>

namespace penstock::memory {
namespace {

Slice Text(const std::string& text) {
  auto owner = std::make_shared<const std::string>(text);
  return Slice{reinterpret_cast<const uint8_t*>(owner->data()), owner->size(), MemoryKind::kPageable, owner};
}

std::string Bytes(const SliceChain& chain) {
  std::string bytes(chain.size(), '?');
  chain.CopyTo(reinterpret_cast<uint8_t*>(bytes.data()));
  return bytes;
}

SliceChain Chain(const std::vector<std::string>& pieces) {
  SliceChain chain;
  for (const std::string& piece : pieces) chain.Append(Text(piece));
  return chain;
}

TEST(SliceChain, JoinsPiecesInOrderAndDropsEmptyOnes) {
  const SliceChain chain = Chain({"", "pen", "", "sto", "ck"});
  EXPECT_EQ(chain.slices().size(), 3u);
  EXPECT_EQ(Bytes(chain), "penstock");
  EXPECT_TRUE(Chain({""}).empty());
}

TEST(SliceChain, EveryCutHoldsTheSameBytesAsACutOfTheWhole) {
  const std::string whole = "penstock";
  const SliceChain chain = Chain({"p", "enst", "oc", "k"});
  for (size_t offset = 0; offset <= whole.size(); ++offset) {
    for (size_t length = 0; offset + length <= whole.size(); ++length) {
      EXPECT_EQ(Bytes(chain.Sub(offset, length)), whole.substr(offset, length)) << offset << "+" << length;
    }
  }
}

TEST(SliceChain, ACutKeepsOnlyTheOwnersItNeeds) {
  const Slice first = Text("first"), second = Text("second");
  SliceChain chain(first);
  chain.Append(second);
  const SliceChain cut = chain.Sub(6, 3);
  EXPECT_EQ(first.owner.use_count(), 2);
  EXPECT_EQ(second.owner.use_count(), 3);
  EXPECT_EQ(cut.slices().front().data, second.data + 1) << "a cut shares the bytes";
}

}  // namespace
}  // namespace penstock::memory
