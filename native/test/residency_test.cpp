// How the tensor-core kernels fit into the shared memory of the GPUs that they are compiled for: none asks for more
// than a block can have, and as many blocks are resident in a multiprocessor as hide each other's waiting. Registers
// and launch bounds see to the rest: a tiling's `resident` and `warps` are what ptxas has left room for.
#include <algorithm>

#include "cuda/attention_head_layout.h"
#include "cuda/gemm_plan.h"
#include "test/check.h"
#include "test/layout_test.h"

namespace videomae::test {
namespace {

using cuda::RowTile;
using cuda::SharedRoom;

struct Gpu {
  SharedRoom room;
  int threads;  // of a multiprocessor
};
constexpr Gpu ada{{99 << 10, 100 << 10}, 1536};      // capability 8.6 and 8.9
constexpr Gpu ampere{{163 << 10, 164 << 10}, 2048};  // 8.0
constexpr Gpu hopper{{227 << 10, 228 << 10}, 2048};  // 9.0

/// Blocks of a kernel with a ring in a multiprocessor.
template <class Tiling>
int resident(int tokens, const Gpu& gpu) {
  const cuda::BlockCut cut = cuda::cut_rows(tokens, 16 * Tiling::blocks, Tiling::warps);
  const size_t bytes = Tiling::shared_bytes(cut.warps, cuda::ring_rows<Tiling>(cut.warps, gpu.room));
  return std::min({Tiling::resident, gpu.room.blocks_of(bytes), gpu.threads / (32 * cut.warps)});
}

template <class Tile, bool general>
void check_rings(std::initializer_list<int> tokens_of_models) {
  using Forward = cuda::ForwardTiling<Tile, general>;
  using Queries = cuda::BackwardTiling<Tile, false, general>;
  using Keys = cuda::BackwardTiling<Tile, true, general>;
  for (const int tokens : tokens_of_models) {
    for (const Gpu& gpu : {ada, ampere, hopper}) CHECK(resident<Forward>(tokens, gpu) == Forward::resident);
    for (const Gpu& gpu : {ampere, hopper}) CHECK(resident<Queries>(tokens, gpu) == Queries::resident);
    for (const Gpu& gpu : {ampere, hopper}) CHECK(resident<Keys>(tokens, gpu) == Keys::resident);
    const int least = Tile::chunks == 16 ? 1 : 2;
    CHECK(resident<Queries>(tokens, ada) >= least && resident<Keys>(tokens, ada) >= least);
  }
}

/// Attention in rings of 64 rows, or of 32 where that lets in more blocks.
void rings_of_attention() {
  check_rings<RowTile<8>, false>({160, 784, 944, 1232, 1568, 2048});
  check_rings<RowTile<10>, false>({160, 1568});
  check_rings<RowTile<11>, false>({208, 2048});
  check_rings<RowTile<16>, false>({160, 1568});
  check_rings<RowTile<8>, true>({160, 1568});
  check_rings<RowTile<16>, true>({160, 1568});
  // Rings of 64 rows alone would leave one block of five warps in a small multiprocessor.
  using Tiling = cuda::ForwardTiling<RowTile<8>, false>;
  CHECK(ada.room.blocks_of(Tiling::shared_bytes(5, 64)) == 1);
  CHECK(cuda::ring_rows<Tiling>(5, hopper.room) == 64 && cuda::ring_rows<Tiling>(5, ada.room) == 32);
  static_assert(64 % cuda::kStepRows == 0 && 32 % cuda::kStepRows == 0);
}

/// Blocks of the kernel that does a head of backward in one; 0 where two kernels do it.
template <class Tile>
int resident_heads(int tokens, const Gpu& gpu) {
  using Tiling = cuda::HeadTiling<Tile>;
  const int warps = Tiling::warps_for(tokens, gpu.room.block);
  return warps == 0 ? 0 : std::min(Tiling::warps / warps, gpu.room.blocks_of(Tiling::shared_bytes(warps)));
}

void heads_of_backward() {
  CHECK(resident_heads<RowTile<8>>(160, ada) == 0 && resident_heads<RowTile<8>>(160, ampere) == 1);
  CHECK(resident_heads<RowTile<8>>(160, hopper) == 2);
  for (const Gpu& gpu : {ampere, hopper})
    CHECK(resident_heads<RowTile<10>>(160, gpu) == 1 && resident_heads<RowTile<11>>(208, gpu) == 1);
  CHECK(resident_heads<RowTile<10>>(160, ada) == 0 && resident_heads<RowTile<11>>(208, ada) == 0);
}

/// A ring of whole heads, as "slots x resident blocks".
template <class Tiling>
bool has_ring(int tokens, const Gpu& gpu, int slots, int blocks) {
  const cuda::HeadRing ring = Tiling::ring(tokens, gpu.room);
  const bool fits = ring.resident == 0 ||
                    (ring.shared_bytes <= gpu.room.block && ring.resident <= gpu.room.blocks_of(ring.shared_bytes) &&
                     ring.resident * Tiling::warps_for(tokens) <= Tiling::warps);
  return fits && ring.slots == slots && ring.resident == blocks;
}

void rings_of_whole_heads() {
  using cuda::BackwardHeadTiling;
  using cuda::ForwardHeadTiling;
  // Forward: three tiles of a head and as many of the next as fit.
  using B = ForwardHeadTiling<RowTile<8>>;
  using H = ForwardHeadTiling<RowTile<10>>;
  using G = ForwardHeadTiling<RowTile<11>>;
  CHECK(has_ring<B>(160, hopper, 5, 2) && has_ring<B>(160, ampere, 4, 2) && has_ring<B>(160, ada, 4, 1));
  CHECK(has_ring<H>(160, hopper, 4, 2) && has_ring<H>(160, ampere, 3, 2) && has_ring<H>(160, ada, 3, 1));
  CHECK(has_ring<G>(208, hopper, 6, 1) && has_ring<G>(208, ampere, 4, 1) && has_ring<G>(208, ada, 0, 0));
  CHECK(has_ring<B>(384, hopper, 4, 1) && has_ring<B>(385, hopper, 0, 0));
  CHECK(has_ring<B>(16, hopper, 6, 12));
  // Backward: five tiles.
  using BackwardB = BackwardHeadTiling<RowTile<8>>;
  using BackwardH = BackwardHeadTiling<RowTile<10>>;
  CHECK(has_ring<BackwardB>(160, hopper, 10, 1) && has_ring<BackwardB>(160, ampere, 8, 1));
  CHECK(has_ring<BackwardH>(160, hopper, 9, 1) && has_ring<BackwardH>(160, ampere, 6, 1));
  CHECK(has_ring<BackwardB>(160, ada, 0, 0) && has_ring<BackwardH>(160, ada, 0, 0));
  CHECK(has_ring<BackwardB>(100, hopper, 7, 2) && has_ring<BackwardB>(256, hopper, 7, 1));
  CHECK(has_ring<BackwardB>(257, hopper, 0, 0));
}

/// Large tiles of products keep two blocks in a small multiprocessor too, in less shared memory. The hugest is not for
/// it: choose_tile() asks.
void tiles_of_products() {
  using namespace cuda;
  const auto resident = [](auto shape, const Gpu& gpu) {
    using Shape = decltype(shape);
    return std::min(gpu.room.blocks_of(Shape::shared_bytes), gpu.threads / Shape::threads);
  };
  for (const Gpu& gpu : {ada, ampere, hopper}) {
    const bool large = fits_beside_itself<LargeTile>(static_cast<int64_t>(gpu.room.multiprocessor));
    CHECK((large ? resident(LargeTile{}, gpu) : resident(CompactTile{}, gpu)) >= 2);
    CHECK(resident(SmallTile{}, gpu) >= 3);
    for (const int n : {768, 2304, 3072, 6144}) {
      const TileKind kind = choose_tile(5120, n, 1, 128, static_cast<int64_t>(gpu.room.block));
      CHECK(kind == TileKind::large || resident(HugeTile{}, gpu) == 1);
    }
  }
  CHECK(resident(LargeTile{}, ada) == 1 && resident(HugeTile{}, ada) == 0);
}

}  // namespace

void residency_cases() {
  run_case("tiles of products", tiles_of_products);
  run_case("rings of attention fit into every GPU", rings_of_attention);
  run_case("heads of backward on one block", heads_of_backward);
  run_case("rings of whole heads", rings_of_whole_heads);
}

}  // namespace videomae::test
