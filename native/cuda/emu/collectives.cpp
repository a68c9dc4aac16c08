// What the lanes of a warp do together: the meeting, shuffles and votes.
#include "cuda/emu/scheduler.h"

namespace videomae::cuda::emu {

void together(const Collective& collective, void* brought) {
  Fiber& fiber = *scheduler.current;
  Warp& warp = *fiber.warp;
  if (warp.count < 32) fail("a full warp", "%u lanes at %s", warp.count, collective.name);
  if (warp.ended) {
    fail("all lanes of a warp", "lane %u at %s, where lane %d has ended", fiber.lane(), collective.name,
         __builtin_ctz(warp.ended));
  }
  if (warp.arrived && warp.collective != &collective && warp.collective->work != collective.work) {
    fail("all lanes of a warp in one operation", "lane %u at %s, where lane %d is at %s", fiber.lane(), collective.name,
         __builtin_ctz(warp.arrived), warp.collective->name);
  }
  warp.collective = &collective;
  warp.brought[fiber.lane()] = brought;
  warp.arrived |= 1u << fiber.lane();
  if (warp.arrived == ~0u) {
    collective.work(warp.brought);
    warp.arrived = 0;
    scheduler.wake_all(warp);
  }
  scheduler.wait(collective.name);
}

namespace {

template <Shuffle form>
void exchange(void* const lanes[32]) {
  for (int i = 0; i < 32; ++i) {
    ShuffleLane& lane = *static_cast<ShuffleLane*>(lanes[i]);
    const int from = form == Shuffle::from_lane      ? lane.argument & 31
                     : form == Shuffle::exclusive_or ? i ^ (lane.argument & 31)
                                                     : i + lane.argument;
    lane.taken = static_cast<ShuffleLane*>(lanes[from >= 0 && from < 32 ? from : i])->given;
  }
}

struct Vote {
  bool given;
  unsigned taken;
};

void count_votes(void* const lanes[32]) {
  unsigned votes = 0;
  for (int i = 0; i < 32; ++i) votes |= static_cast<unsigned>(static_cast<Vote*>(lanes[i])->given) << i;
  for (int i = 0; i < 32; ++i) static_cast<Vote*>(lanes[i])->taken = votes;
}

}  // namespace

void atomic_add(int* place, int value) { *place += value; }
void atomic_min(int* place, int value) { *place = std::min(*place, value); }
void atomic_max(int* place, int value) { *place = std::max(*place, value); }

void shuffle(Shuffle form, ShuffleLane& lane) {
  static constexpr Collective from_lane{"shuffle", exchange<Shuffle::from_lane>};
  static constexpr Collective exclusive_or{"shuffle_xor", exchange<Shuffle::exclusive_or>};
  static constexpr Collective down{"shuffle_down", exchange<Shuffle::down>};
  together(form == Shuffle::from_lane ? from_lane : form == Shuffle::exclusive_or ? exclusive_or : down, &lane);
}

unsigned ballot(bool condition) {
  static constexpr Collective collective{"ballot", count_votes};
  Vote vote{condition, 0};
  together(collective, &vote);
  return vote.taken;
}

}  // namespace videomae::cuda::emu
