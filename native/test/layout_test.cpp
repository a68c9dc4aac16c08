// The layouts of tensor-core operands: bijections, products through them, swizzles, descriptors. Each check is also
// given a layout with one error in it, and has to notice.
#include "test/layout_test.h"

#include <algorithm>
#include <array>
#include <set>

#include "cuda/attention_layout.h"
#include "cuda/hopper/attention_forward_layout.h"
#include "test/check.h"

namespace videomae::test {

using cuda::Major;
using cuda::Place;
using cuda::Slot;
using cuda::Swizzle;
using cuda::WgmmaDescriptor;
using cuda::WgmmaTile;

namespace {

constexpr Swizzle kSwizzles[] = {Swizzle::none, Swizzle::b32, Swizzle::b64, Swizzle::b128};
constexpr Major kMajors[] = {Major::k, Major::mn};

int integer(int seed, int row, int col) { return (seed * 37 + row * 101 + col * 53 + row * col * 7) % 17 - 8; }

}  // namespace

bool is_bijection(int lanes, int registers, int halves, int rows, int cols, const std::function<Place(Slot)>& place_of,
                  const std::function<Slot(Place)>& slot_of) {
  std::set<std::pair<int, int>> places;
  for (int lane = 0; lane < lanes; ++lane) {
    for (int reg = 0; reg < registers; ++reg) {
      for (int half = 0; half < halves; ++half) {
        const Slot slot{lane, reg, half};
        const Place place = place_of(slot);
        if (place.row < 0 || place.row >= rows || place.col < 0 || place.col >= cols) return false;
        if (!(slot_of(place) == slot) || !places.insert({place.row, place.col}).second) return false;
      }
    }
  }
  return static_cast<int>(places.size()) == rows * cols;
}

bool multiplies(const MmaLayout& layout) {
  // Registers as a program fills them.
  int a[32][4][2], b[32][2][2], d[32][4];
  for (int lane = 0; lane < 32; ++lane) {
    for (int half = 0; half < 2; ++half) {
      for (int reg = 0; reg < 4; ++reg) {
        const Place place = layout.a({lane, reg, half});
        a[lane][reg][half] = integer(1, place.row, place.col);
      }
      for (int reg = 0; reg < 2; ++reg) {
        const Place place = layout.b({lane, reg, half});
        b[lane][reg][half] = integer(2, place.row, place.col);
      }
    }
  }
  // The tensor core.
  for (int m = 0; m < 16; ++m) {
    for (int n = 0; n < 8; ++n) {
      int sum = 0;
      for (int k = 0; k < 16; ++k) {
        const Slot left = cuda::mma_a_slot({m, k}), right = cuda::mma_b_slot({k, n});
        sum += a[left.lane][left.reg][left.half] * b[right.lane][right.reg][right.half];
      }
      const Slot out = cuda::mma_d_slot({m, n});
      d[out.lane][out.reg] = sum;
    }
  }
  // What the program reads.
  for (int lane = 0; lane < 32; ++lane) {
    for (int reg = 0; reg < 4; ++reg) {
      const Place place = layout.d({lane, reg, 0});
      int sum = 0;
      for (int k = 0; k < 16; ++k) sum += integer(1, place.row, k) * integer(2, k, place.col);
      if (d[lane][reg] != sum) return false;
    }
  }
  return true;
}

bool is_swizzle(const SwizzleFunction& swizzled) {
  for (const Swizzle swizzle : kSwizzles) {
    const uint32_t span = cuda::swizzle_span(swizzle), period = cuda::swizzle_period(swizzle);
    for (const uint32_t base : {0u, 3 * 1024u}) {
      std::set<uint32_t> chunks_of_first_column;
      for (uint32_t offset = 0; offset < period; ++offset) {
        const uint32_t from = base + offset, to = swizzled(from, swizzle);
        if (swizzled(to, swizzle) != from) return false;
        if (to % 16 != from % 16 || to / span != from / span) return false;  // within its chunk's bytes and its row
        if (offset % span == 0) chunks_of_first_column.insert(to % span);
      }
      if (chunks_of_first_column.size() != span / 16) return false;  // a column visits every chunk
    }
  }
  return true;
}

int bank_conflicts(const uint32_t (&addresses)[8]) {
  std::array<int, 8> accesses{};  // groups of four banks
  for (const uint32_t address : addresses) ++accesses[address / 16 % 8];
  return *std::max_element(accesses.begin(), accesses.end());
}

bool finds_tiles(const AddressFunction& address) {
  for (const Major major : kMajors) {
    for (const Swizzle swizzle : kSwizzles) {
      for (const uint32_t mn_size : {8u, 64u, 80u, 88u, 256u}) {
        const WgmmaTile tile{major, swizzle, mn_size, 64};
        constexpr uint32_t kBase = 5 * 1024;
        for (uint32_t k = 0; k < tile.k_size; k += 16) {
          const WgmmaDescriptor descriptor = cuda::decode(cuda::encode(tile.descriptor(kBase, 0, k)));
          for (uint32_t mn = 0; mn < mn_size; ++mn) {
            for (uint32_t i = 0; i < 16; ++i) {
              if (address(descriptor, major, mn, i) != kBase + tile.offset(mn, k + i)) return false;
            }
          }
        }
      }
    }
  }
  return true;
}

namespace {

void bijections() {
  CHECK(is_bijection(32, 4, 2, 16, 16, cuda::mma_a_place, cuda::mma_a_slot));
  CHECK(is_bijection(32, 2, 2, 16, 8, cuda::mma_b_place, cuda::mma_b_slot));
  CHECK(is_bijection(32, 4, 1, 16, 8, cuda::mma_d_place, cuda::mma_d_slot));
  CHECK(is_bijection(128, 4, 2, 64, 16, cuda::wgmma_a_place, cuda::wgmma_a_slot));
  for (const int n : {8, 64, 80, 88, 96, 128, 160, 176, 192, 208, 256}) {
    CHECK(is_bijection(128, n / 2, 1, 64, n, cuda::wgmma_d_place, cuda::wgmma_d_slot));
  }
  // A register pair is two neighbours of one row of A: the low half is the smaller k.
  for (int lane = 0; lane < 32; ++lane) {
    for (int reg = 0; reg < 4; ++reg) {
      const Place low = cuda::mma_a_place({lane, reg, 0}), high = cuda::mma_a_place({lane, reg, 1});
      CHECK(low.row == high.row && low.col + 1 == high.col);
    }
  }
  const auto swapped = [](Slot s) { return cuda::mma_a_place({s.lane, s.reg ^ 3, s.half}); };
  CHECK(!is_bijection(32, 4, 2, 16, 16, swapped, cuda::mma_a_slot));
}

void mma_products() {
  CHECK(multiplies({}));
  MmaLayout wrong;
  wrong.a = [](Slot s) { return cuda::mma_a_place({s.lane, s.reg == 1 ? 2 : s.reg == 2 ? 1 : s.reg, s.half}); };
  CHECK(!multiplies(wrong));
  wrong = {};
  wrong.b = [](Slot s) { return cuda::mma_b_place({s.lane, s.reg, 1 - s.half}); };
  CHECK(!multiplies(wrong));
  wrong = {};
  wrong.d = [](Slot s) { return cuda::mma_d_place({s.lane ^ 1, s.reg, 0}); };
  CHECK(!multiplies(wrong));
}

/// Four matrices of ldmatrix make A of a 16 x 16 tile stored by rows; two transposed ones make B of a tile stored
/// k by n, two plain ones B of a tile stored n by k.
void ldmatrix_feeds_mma() {
  for (int lane = 0; lane < 32; ++lane) {
    for (int half = 0; half < 2; ++half) {
      for (int reg = 0; reg < 4; ++reg) {
        const Place in = cuda::ldmatrix_place(lane, half, false);
        const Place expected{in.row + 8 * (reg % 2), in.col + 8 * (reg / 2)};
        CHECK(cuda::mma_a_place({lane, reg, half}) == expected);
      }
      for (int reg = 0; reg < 2; ++reg) {
        const Place in = cuda::ldmatrix_place(lane, half, true);  // rows are k
        CHECK(cuda::mma_b_place({lane, reg, half}) == (Place{in.row + 8 * reg, in.col}));
        const Place plain = cuda::ldmatrix_place(lane, half, false);  // rows are n
        CHECK(cuda::mma_b_place({lane, reg, half}) == (Place{plain.col + 8 * reg, plain.row}));
      }
    }
  }
}

/// D of one product is A of the next, register by register: what attention does between its two products.
void accumulators_become_operands() {
  for (int thread = 0; thread < cuda::kWarpgroup; ++thread) {
    for (int step = 0; step < 4; ++step) {  // of 16 columns
      for (int reg = 0; reg < 4; ++reg) {
        for (int half = 0; half < 2; ++half) {
          const Place a = cuda::wgmma_a_place({thread, reg, half});
          const Place d = cuda::wgmma_d_place({thread, step * 8 + reg * 2 + half, 0});
          CHECK((d == Place{a.row, a.col + 16 * step}));
        }
      }
    }
  }
}

void swizzles() {
  CHECK(is_swizzle(cuda::swizzled));
  CHECK(!is_swizzle([](uint32_t address, Swizzle swizzle) { return cuda::swizzled(address, swizzle) ^ 16; }));
  CHECK(!is_swizzle([](uint32_t address, Swizzle swizzle) {
    return address ^ ((address >> 4) & (cuda::swizzle_span(swizzle) - 16));
  }));
  // ldmatrix reads eight rows of one chunk column at once. In rows of 128 bytes without a swizzle they share banks.
  for (uint32_t chunk = 0; chunk < 8; ++chunk) {
    uint32_t plain[8], free[8];
    for (uint32_t row = 0; row < 8; ++row) {
      plain[row] = row * 128 + chunk * 16;
      free[row] = cuda::swizzled(plain[row], Swizzle::b128);
    }
    CHECK(bank_conflicts(plain) == 8 && bank_conflicts(free) == 1);
  }
  // Narrower spans: the eight rows of a column of chunks.
  for (const Swizzle swizzle : {Swizzle::b64, Swizzle::b32}) {
    uint32_t rows[8];
    for (uint32_t row = 0; row < 8; ++row) rows[row] = cuda::swizzled(row * cuda::swizzle_span(swizzle), swizzle);
    CHECK(bank_conflicts(rows) == 1);
  }
}

void descriptors() {
  const WgmmaDescriptor d{0x1230, 0x2A0, 0x400, 5, Swizzle::b64};
  const uint64_t bits = cuda::encode(d);
  CHECK(bits == (0x123ull | 0x2Aull << 16 | 0x40ull << 32 | 5ull << 49 | 2ull << 62));
  const WgmmaDescriptor back = cuda::decode(bits);
  CHECK(back.start == d.start && back.leading_offset == d.leading_offset && back.stride_offset == d.stride_offset);
  CHECK(back.base_offset == d.base_offset && back.swizzle == d.swizzle);
  // The worked example of the documentation: bf16, mn contiguous, 64-byte swizzle, 64 x 16: LBO 256 and SBO 512
  // elements.
  const WgmmaDescriptor example{0, 512, 1024, 0, Swizzle::none};
  CHECK(cuda::wgmma_address({0, 512, 1024, 0, Swizzle::b64}, Major::mn, 32, 0) == 512);
  CHECK(cuda::wgmma_address({0, 512, 1024, 0, Swizzle::b64}, Major::mn, 0, 8) == 1024);
  // Without a swizzle the two change places: SBO leads to the next 8 of mn, LBO to the next 8 of k.
  CHECK(cuda::wgmma_address(example, Major::mn, 8, 0) == 1024 && cuda::wgmma_address(example, Major::mn, 0, 8) == 512);
  CHECK(cuda::wgmma_address(example, Major::k, 8, 0) == 1024 && cuda::wgmma_address(example, Major::k, 0, 8) == 512);
}

void tiles() {
  CHECK(finds_tiles(cuda::wgmma_address));
  CHECK(!finds_tiles([](WgmmaDescriptor d, Major major, uint32_t mn, uint32_t k) {
    std::swap(d.leading_offset, d.stride_offset);
    return cuda::wgmma_address(d, major, mn, k);
  }));
  CHECK(!finds_tiles([](const WgmmaDescriptor& d, Major major, uint32_t mn, uint32_t k) {
    return cuda::wgmma_address(d, major == Major::k ? Major::mn : Major::k, mn, k);
  }));
  for (const Major major : kMajors) {
    for (const Swizzle swizzle : kSwizzles) {
      for (const uint32_t mn_size : {8u, 64u, 88u}) {
        const WgmmaTile tile{major, swizzle, mn_size, 64};
        std::set<uint32_t> offsets;
        for (uint32_t mn = 0; mn < mn_size; ++mn) {
          for (uint32_t k = 0; k < 64; ++k) offsets.insert(tile.offset(mn, k));
        }
        CHECK(offsets.size() == mn_size * 64 && *offsets.rbegin() < tile.bytes());
      }
    }
  }
  // Rows 64 and on of a 128-row A, as the second warpgroup takes them.
  const WgmmaTile a{Major::k, Swizzle::b128, 128, 64};
  for (uint32_t m = 0; m < 64; ++m) {
    CHECK(cuda::wgmma_address(a.descriptor(0, 64, 32), Major::k, m, 3) == a.offset(64 + m, 35));
  }
}

}  // namespace

/// Whether a tile of attention puts every chunk in a place of its own, and no 8 rows of one chunk meet in a bank.
template <class Tile>
bool is_row_tile() {
  std::set<int> places;
  for (int row = 0; row < 64; ++row) {
    for (int chunk = 0; chunk < Tile::chunks; ++chunk) {
      const int place = Tile::offset(row, chunk);
      if (place % 16 != 0 || place / Tile::row_bytes != row || !places.insert(place).second) return false;
    }
  }
  for (int row = 0; row < 64; row += 8) {
    for (int chunk = 0; chunk < Tile::chunks; ++chunk) {
      uint32_t addresses[8];
      for (int i = 0; i < 8; ++i) addresses[i] = static_cast<uint32_t>(Tile::offset(row + i, chunk));
      if (bank_conflicts(addresses) != 1) return false;
    }
  }
  return true;
}

struct PlainRows : cuda::RowTile<8> {
  static constexpr int offset(int row, int chunk) { return row * row_bytes + 16 * chunk; }
};

void attention_rows() {
  using cuda::RowTile;
  CHECK(is_row_tile<RowTile<2>>() && is_row_tile<RowTile<4>>() && is_row_tile<RowTile<8>>());
  CHECK(is_row_tile<RowTile<10>>() && is_row_tile<RowTile<11>>() && is_row_tile<RowTile<16>>());
  CHECK(!is_row_tile<PlainRows>());
}

void attention_cuts() {
  for (int rows : {1, 16, 17, 160, 208, 944, 1232, 1568, 2048}) {
    for (int most : {1, 4, 6, 8}) {
      const cuda::BlockCut cut = cuda::cut_rows(rows, 32, most);
      CHECK(cut.warps >= 1 && cut.warps <= most);
      CHECK(cut.blocks * cut.warps * 32 >= rows && (cut.blocks - 1) * cut.warps * 32 < rows);
    }
  }
  // Which heads fit into one block: of capability 8.6 and 8.9, 8.0, 9.0.
  constexpr uint64_t ada = 99 << 10, ampere = 163 << 10, hopper = 227 << 10;
  using cuda::HeadTiling;
  using cuda::RowTile;
  CHECK(HeadTiling<RowTile<8>>::warps_for(128, ada) == 4 && HeadTiling<RowTile<8>>::warps_for(160, ada) == 0);
  CHECK(HeadTiling<RowTile<8>>::warps_for(160, ampere) == 5 && HeadTiling<RowTile<8>>::warps_for(944, hopper) == 0);
  CHECK(HeadTiling<RowTile<10>>::warps_for(160, ampere) == 10 && HeadTiling<RowTile<11>>::warps_for(208, ampere) == 13);
  CHECK(HeadTiling<RowTile<16>>::warps_for(160, ampere) == 0 && HeadTiling<RowTile<16>>::warps_for(160, hopper) == 10);
}

/// Blocks of keys waste as little as they can, and next to nothing at the lengths of whole clips.
void keys_of_wgmma() {
  const auto padded = [](int tokens, int keys) { return (tokens + keys - 1) / keys * keys; };
  for (int tokens = 1; tokens <= 4096; ++tokens)
    for (int keys : cuda::kWgmmaKeys) CHECK(padded(tokens, cuda::wgmma_keys(tokens)) <= padded(tokens, keys));
  for (int tokens : {944, 1232, 1568, 2048}) CHECK(padded(tokens, cuda::wgmma_keys(tokens)) <= 1.02 * tokens);
}

/// A tile's parts do not meet, and two blocks' worth of keys and values fit beside the queries.
void memory_of_wgmma() {
  const auto check = [](auto tiling) {
    using Tiling = decltype(tiling);
    CHECK(Tiling::shared_bytes <= 227 << 10 && Tiling::slots >= 4);
    CHECK(Tiling::key_tile.bytes() == Tiling::value_tile.bytes() && Tiling::boxes * Tiling::box >= 16 * Tiling::steps);
    CHECK(Tiling::consumer_registers * Tiling::consumers + Tiling::producer_registers <= 65536 / 128);
  };
  check(cuda::WgmmaForwardTiling<64, 176>{});
  check(cuda::WgmmaForwardTiling<80, 176>{});
  check(cuda::WgmmaForwardTiling<88, 128>{});
  check(cuda::WgmmaForwardTiling<88, 160>{});
  check(cuda::WgmmaForwardTiling<88, 176>{});
  check(cuda::WgmmaForwardTiling<64, cuda::kWgmmaKeysOfThree, 3>{});
}

void layout_cases() {
  run_case("fragments are bijections", bijections);
  run_case("products through mma fragments", mma_products);
  run_case("ldmatrix feeds mma", ldmatrix_feeds_mma);
  run_case("accumulators become operands", accumulators_become_operands);
  run_case("swizzles", swizzles);
  run_case("wgmma descriptors", descriptors);
  run_case("wgmma tiles", tiles);
  run_case("rows of attention", attention_rows);
  run_case("how attention is cut", attention_cuts);
  run_case("keys of attention by wgmma", keys_of_wgmma);
  run_case("shared memory of attention by wgmma", memory_of_wgmma);
}

}  // namespace videomae::test
