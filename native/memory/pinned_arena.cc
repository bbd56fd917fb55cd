#include "memory/pinned_arena.h"

#include <algorithm>
#include <map>
#include <new>
#include <tuple>
#include <utility>
#include <vector>

#include "base/checked_math.h"

namespace penstock::memory {
namespace {

constexpr uint64_t kSmallest = 256;
constexpr uint64_t kPage = 4096;
// Where the machine refuses to lock more, each further block would pay for another refusal: so many get pageable memory without asking.
constexpr uint64_t kUnaskedAfterRefusal = 1000;

// False when the result does not fit.
bool RoundUp(uint64_t bytes, uint64_t step, uint64_t* rounded) {
  if (!CheckedAdd(bytes, step - 1, rounded)) return false;
  *rounded = *rounded / step * step;
  return true;
}

// False for a size that no object can have.
bool SizeInSlab(uint64_t bytes, uint64_t* size) {
  if (bytes > static_cast<uint64_t>(PTRDIFF_MAX) / 2) return false;
  bytes = std::max(bytes, kSmallest);
  const int highest_bit = 63 - __builtin_clzll(bytes);
  return RoundUp(bytes, std::max<uint64_t>(BlockPool::kAlignment, uint64_t{1} << (highest_bit - 3)), size);
}

}  // namespace

struct PinnedArena::State {
  struct Slab;
  struct Range;
  using Ranges = std::map<uint8_t*, Range>;  // of one slab, without gaps
  using Hole = std::pair<uint64_t, uint8_t*>;  // size, place
  using Holes = std::map<Hole, std::pair<Slab*, Ranges::iterator>>;
  struct Range {
    uint64_t size = 0;
    // Of a range in use: what will be its entry among the holes, so that giving it back takes no memory. Empty for a hole.
    Holes::node_type entry;
  };
  struct Slab {
    uint8_t* pages = nullptr;
    uint64_t device = 0;  // where GPUs read them; 0 = nowhere
    uint64_t size = 0;
    Ranges ranges;
    bool empty() const { return ranges.size() == 1 && ranges.begin()->second.entry.empty(); }
  };
  using Slabs = std::vector<std::unique_ptr<Slab>>;
  class Pinned;

  State(std::shared_ptr<PageLocker> own_locker, PinnedArenaOptions own_options) : locker(std::move(own_locker)), options(own_options) {
    use.limit_bytes = options.limit_bytes;
  }
  ~State() { UnlockAll(&slabs); }

  // The following three: with `mutex` held.
  // A range of this size out of a hole; false when there is no such hole. Throws std::bad_alloc and has changed nothing then.
  bool Take(uint64_t size, Slab** slab, Ranges::iterator* range);
  void GiveBack(Slab* slab, Ranges::iterator range) noexcept;
  // Empty slabs that have to go for one of `size` to keep to the limit; false when that is not enough.
  bool MakeRoom(uint64_t size, Slabs* unlocked);

  // The block of a range that has been taken, without `mutex`. Throws std::bad_alloc and has given the range back then.
  static std::shared_ptr<Block> Own(std::shared_ptr<PinnedArena> arena, uint64_t bytes, Slab* slab, Ranges::iterator range);

  // A range of a new slab; false when that cannot be had. Without `mutex`, under `growing`.
  bool Grow(uint64_t size, Slab** taken, Ranges::iterator* range);
  bool TakeOrGrow(uint64_t size, Slab** slab, Ranges::iterator* range);
  void UnlockAll(Slabs* gone) noexcept {
    for (const std::unique_ptr<Slab>& slab : *gone) locker->Unlock(slab->pages, slab->size);
    gone->clear();
  }

  const std::shared_ptr<PageLocker> locker;
  const PinnedArenaOptions options;
  std::mutex growing;        // one at a time locks pages, so that the limit holds; taken before `mutex`
  uint64_t unasked = 0;      // guarded by `growing`
  mutable std::mutex mutex;  // guards the rest
  PinnedUse use;
  Slabs slabs;
  Holes holes;
};

class PinnedArena::State::Pinned final : public Block {
 public:
  Pinned(std::shared_ptr<PinnedArena> arena, size_t size, Slab* slab, Ranges::iterator range)
      : Block(range->first, size, MemoryKind::kPinned, DeviceAddress(*slab, range->first)),
        arena_(std::move(arena)),
        slab_(slab),
        range_(range) {}
  ~Pinned() override {
    State& state = *arena_->state_;
    const std::lock_guard<std::mutex> lock(state.mutex);
    state.GiveBack(slab_, range_);
    state.use.live_bytes -= size();
    state.use.live_blocks -= 1;
  }

 private:
  static uint64_t DeviceAddress(const Slab& slab, const uint8_t* place) {
    return slab.device == 0 ? 0 : slab.device + static_cast<uint64_t>(place - slab.pages);
  }

  const std::shared_ptr<PinnedArena> arena_;
  Slab* const slab_;
  const Ranges::iterator range_;
};

bool PinnedArena::State::Take(uint64_t size, Slab** slab, Ranges::iterator* range) {
  const auto found = holes.lower_bound(Hole{size, nullptr});
  if (found == holes.end()) return false;
  std::tie(*slab, *range) = found->second;
  const uint64_t rest = found->first.first - size;
  if (rest != 0) {
    uint8_t* const place = (*range)->first + size;
    const auto behind = (*slab)->ranges.emplace(place, Range{rest, {}}).first;
    try {
      holes.emplace(Hole{rest, place}, std::make_pair(*slab, behind));
    } catch (...) {
      (*slab)->ranges.erase(behind);
      throw;
    }
  }
  (*range)->second.entry = holes.extract(found);
  (*range)->second.size = size;
  return true;
}

void PinnedArena::State::GiveBack(Slab* slab, Ranges::iterator range) noexcept {
  Holes::node_type entry = std::move(range->second.entry);
  const auto join = [slab](Ranges::iterator first, Ranges::iterator second) {
    first->second.size += second->second.size;
    slab->ranges.erase(second);
  };
  const auto next = std::next(range);
  if (next != slab->ranges.end() && next->second.entry.empty()) {
    holes.erase(Hole{next->second.size, next->first});
    join(range, next);
  }
  if (range != slab->ranges.begin()) {
    const auto before = std::prev(range);
    if (before->second.entry.empty()) {
      holes.erase(Hole{before->second.size, before->first});
      join(before, range);
      range = before;
    }
  }
  entry.key() = Hole{range->second.size, range->first};
  entry.mapped() = {slab, range};
  holes.insert(std::move(entry));
}

bool PinnedArena::State::MakeRoom(uint64_t size, Slabs* unlocked) {
  uint64_t wanted = 0;
  if (!CheckedAdd(use.slab_bytes, size, &wanted)) return false;
  uint64_t spare = 0;
  for (const std::unique_ptr<Slab>& slab : slabs) spare += slab->empty() ? slab->size : 0;
  if (wanted > options.limit_bytes && wanted - options.limit_bytes > spare) return false;
  unlocked->reserve(slabs.size());
  slabs.reserve(slabs.size() + 1);
  for (auto at = slabs.begin(); wanted > options.limit_bytes && at != slabs.end();) {
    if (!(*at)->empty()) {
      ++at;
      continue;
    }
    holes.erase(Hole{(*at)->size, (*at)->pages});
    wanted -= (*at)->size;
    use.slab_bytes -= (*at)->size;
    unlocked->push_back(std::move(*at));
    at = slabs.erase(at);
  }
  return true;
}

bool PinnedArena::State::Grow(uint64_t size, Slab** taken, Ranges::iterator* range) {
  auto slab = std::make_unique<Slab>();
  for (const uint64_t wanted : {std::max(size, options.slab_bytes), size}) {
    if (!RoundUp(wanted, kPage, &slab->size)) return false;
    Slabs unlocked;
    bool room = false;
    {
      const std::lock_guard<std::mutex> lock(mutex);
      room = MakeRoom(slab->size, &unlocked);
    }
    UnlockAll(&unlocked);
    if (room) break;
    slab->size = 0;
  }
  if (slab->size == 0) return false;

  // Both entries are made first, so that nothing can fail once pages are locked.
  Ranges whole;
  whole.emplace(nullptr, Range{slab->size, {}});
  Holes hole;
  hole.emplace(Hole{slab->size, nullptr}, std::make_pair(slab.get(), whole.begin()));
  slab->pages = static_cast<uint8_t*>(locker->Lock(slab->size));
  if (slab->pages == nullptr) {
    unasked = kUnaskedAfterRefusal;
    return false;
  }
  slab->device = locker->DeviceAddress(slab->pages);
  Ranges::node_type place = whole.extract(whole.begin());
  place.key() = slab->pages;
  Holes::node_type entry = hole.extract(hole.begin());
  entry.key().second = slab->pages;
  entry.mapped().second = slab->ranges.insert(std::move(place)).position;

  const std::lock_guard<std::mutex> lock(mutex);
  holes.insert(std::move(entry));
  use.slab_bytes += slab->size;
  slabs.push_back(std::move(slab));  // MakeRoom has reserved its place
  return Take(size, taken, range);
}

bool PinnedArena::State::TakeOrGrow(uint64_t size, Slab** slab, Ranges::iterator* range) {
  {
    const std::lock_guard<std::mutex> lock(mutex);
    if (Take(size, slab, range)) return true;
  }
  if (size > options.limit_bytes) return false;
  const std::lock_guard<std::mutex> one(growing);
  {
    // Whoever was growing meanwhile may have left enough.
    const std::lock_guard<std::mutex> lock(mutex);
    if (Take(size, slab, range)) return true;
  }
  if (unasked != 0) {
    --unasked;
    return false;
  }
  return Grow(size, slab, range);
}

PinnedArena::PinnedArena(std::unique_ptr<State> state) : state_(std::move(state)) {}

PinnedArena::~PinnedArena() = default;

std::shared_ptr<PinnedArena> PinnedArena::Create(std::shared_ptr<PageLocker> locker, PinnedArenaOptions options) {
  return std::shared_ptr<PinnedArena>(new PinnedArena(std::make_unique<State>(std::move(locker), options)));
}

std::shared_ptr<Block> PinnedArena::State::Own(std::shared_ptr<PinnedArena> arena, uint64_t bytes, Slab* slab, Ranges::iterator range) {
  State& state = *arena->state_;
  Block* const block = new (std::nothrow) Pinned(std::move(arena), bytes, slab, range);
  {
    const std::lock_guard<std::mutex> lock(state.mutex);
    if (block == nullptr) {
      state.GiveBack(slab, range);
      throw std::bad_alloc();
    }
    state.use.live_bytes += bytes;
    state.use.live_blocks += 1;
  }
  return std::shared_ptr<Block>(block);
}

Result<std::shared_ptr<Block>> PinnedArena::Allocate(uint64_t bytes) {
  uint64_t size = 0;
  State::Slab* slab = nullptr;
  State::Ranges::iterator range;
  if (SizeInSlab(bytes, &size) && state_->TakeOrGrow(size, &slab, &range)) return State::Own(shared_from_this(), bytes, slab, range);
  Result<std::shared_ptr<Block>> pageable = BlockPool::Process().Allocate(bytes);
  if (pageable.ok()) {
    const std::lock_guard<std::mutex> lock(state_->mutex);
    state_->use.fallback_blocks += 1;
    state_->use.fallback_bytes += bytes;
  }
  return pageable;
}

std::shared_ptr<Block> PinnedArena::TryMapped(uint64_t bytes) {
  uint64_t size = 0;
  if (!SizeInSlab(bytes, &size)) return nullptr;
  State::Slab* slab = nullptr;
  State::Ranges::iterator range;
  {
    const std::lock_guard<std::mutex> lock(state_->mutex);
    uint64_t live = 0;
    if (!CheckedAdd(state_->use.live_bytes, size, &live) || live > state_->options.limit_bytes / 2) return nullptr;
    if (!state_->Take(size, &slab, &range)) return nullptr;
  }
  std::shared_ptr<Block> block = State::Own(shared_from_this(), bytes, slab, range);
  if (block->device() == 0) return nullptr;  // the driver has not mapped this slab
  return block;
}

PinnedUse PinnedArena::use() const {
  const std::lock_guard<std::mutex> lock(state_->mutex);
  return state_->use;
}

}  // namespace penstock::memory
