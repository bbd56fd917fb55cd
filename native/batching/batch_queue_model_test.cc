// Random schedules, each answer of the queue compared with that of a plain sorted list.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <tuple>

#include "batching/batch_queue.h"
#include "batching/item_times.h"
#include "batching/test_items.h"

namespace penstock::batching {
namespace {

struct Kept {
  std::shared_ptr<QueueItem> item;
  uint64_t level;
  int64_t delayed;  // 0 = prompt, else the order of being delayed
  int64_t arrival;
};

class Model {
 public:
  void Add(const std::shared_ptr<QueueItem>& item) { kept_.push_back({item, item->priority == 0 ? 2 : item->priority, 0, ++clock_}); }

  Items Order() {
    std::sort(kept_.begin(), kept_.end(), [](const Kept& a, const Kept& b) {
      return std::tie(a.level, a.delayed, a.arrival) < std::tie(b.level, b.delayed, b.arrival);
    });
    Items order;
    for (const Kept& kept : kept_) order.push_back(kept.item.get());
    return order;
  }

  std::vector<const QueueItem*> Expire(int64_t now_ns) {
    Order();
    std::vector<const QueueItem*> expired;
    for (Kept& kept : kept_) {
      const bool over = kept.item->expires_ns != 0 && kept.item->expires_ns <= now_ns;
      if (over) expired.push_back(kept.item.get());
      if (!over && kept.delayed == 0 && kept.item->delays_ns != 0 && kept.item->delays_ns <= now_ns) kept.delayed = ++clock_;
    }
    for (const QueueItem* item : expired) Drop(item);
    return expired;
  }

  void Drop(const QueueItem* item) {
    kept_.erase(std::find_if(kept_.begin(), kept_.end(), [item](const Kept& kept) { return kept.item.get() == item; }));
  }

  int64_t NextExpiry() const {
    int64_t next = INT64_MAX;
    for (const Kept& kept : kept_) {
      if (kept.item->expires_ns != 0) next = std::min(next, kept.item->expires_ns);
      if (kept.delayed == 0 && kept.item->delays_ns != 0) next = std::min(next, kept.item->delays_ns);
    }
    return next;
  }

  size_t Ahead(uint64_t level) const {
    return static_cast<size_t>(std::count_if(kept_.begin(), kept_.end(), [level](const Kept& kept) {
      return kept.level < level || (kept.level == level && kept.delayed == 0);
    }));
  }

  uint64_t Bytes() const {
    uint64_t bytes = 0;
    for (const Kept& kept : kept_) bytes += kept.item->bytes;
    return bytes;
  }

  const std::vector<Kept>& kept() const { return kept_; }

 private:
  std::vector<Kept> kept_;
  int64_t clock_ = 0;
};

TEST(BatchQueue, AgreesWithAPlainModelOnSeededSchedules) {
  for (uint64_t seed = 0; seed < 300; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937_64 random(seed);
    QueueOptions options;
    options.priority_levels = 3;
    options.default_priority_level = 2;
    BatchQueue queue(options);
    Model model;
    const int64_t tick = BatchQueue::kExpiryGrainNs / 4;
    int64_t now = tick;
    for (int step = 0; step < 200; ++step) {
      now += tick * static_cast<int64_t>(random() % 4);
      switch (random() % 5) {
        case 0:
        case 1: {
          ItemSpec spec;
          spec.priority = random() % 4;
          spec.bytes = random() % 20;
          spec.group = std::string(random() % 3, 'g');
          auto item = MakeItem(spec);
          if (random() % 2 == 0) item->expires_ns = now + tick * (1 + static_cast<int64_t>(random() % 12));
          if (random() % 2 == 0) item->delays_ns = now + tick * (1 + static_cast<int64_t>(random() % 12));
          model.Add(item);
          queue.Enqueue(&item);
          break;
        }
        case 2: {
          std::vector<std::shared_ptr<QueueItem>> expired;
          queue.Expire(now, &expired);
          auto expected = model.Expire(now);
          auto found = Raw(expired);
          std::sort(expected.begin(), expected.end());
          std::sort(found.begin(), found.end());
          ASSERT_EQ(found, expected);
          const int64_t due = model.NextExpiry();
          const int64_t at_once = now + BatchQueue::kExpiryGrainNs;
          ASSERT_EQ(queue.next_expiry_ns(), due == INT64_MAX ? due : std::max(due, at_once));
          break;
        }
        case 3: {
          const Items order = model.Order();
          std::vector<size_t> positions;
          Items expected;
          for (size_t i = 0; i < order.size(); ++i) {
            if (random() % 3 != 0) continue;
            positions.push_back(i);
            expected.push_back(order[i]);
          }
          const auto taken = queue.Take(positions);
          ASSERT_EQ(Raw(taken), expected);
          for (const QueueItem* item : expected) model.Drop(item);
          break;
        }
        default: {
          if (model.kept().empty()) break;
          const auto victim = model.kept()[random() % model.kept().size()].item;
          ASSERT_TRUE(queue.Remove(victim.get()));
          model.Drop(victim.get());
        }
      }
      Items order;
      queue.Walk([&](const BatchQueue::Entry& entry) {
        order.push_back(entry.item.get());
        return true;
      });
      ASSERT_EQ(order, model.Order());
      ASSERT_EQ(queue.size(), order.size());
      ASSERT_EQ(queue.bytes(), model.Bytes());
      ASSERT_LE(queue.next_expiry_ns(), SaturatingAdd(model.NextExpiry(), BatchQueue::kExpiryGrainNs));
      for (uint64_t level = 1; level <= 3; ++level) ASSERT_EQ(queue.AheadOf(level).items, model.Ahead(level));
    }
  }
}

}  // namespace
}  // namespace penstock::batching
