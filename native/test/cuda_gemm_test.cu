// Products on the kernels that every GPU has, as the emulator runs them: every order of operands, tile and epilogue at
// odd sizes, alignments and strides; bits in any order of threads; banks of shared memory.
#include <sys/wait.h>
#include <unistd.h>

#include "cuda/cublaslt.h"
#include "cuda/device/mma_layout.h"
#include "test/cuda_gemm_cases.cuh"

namespace videomae::cuda {
namespace {

using test::run_case;

void orders_and_sizes(DType dtype) {
  const Size sizes[] = {{1, 1, 1}, {7, 13, 5}, {64, 64, 32}, {65, 130, 96}, {37, 257, 64}, {3, 5, 200}, {128, 40, 33}};
  for (const Size& size : sizes)
    for (int order = 0; order < 4; ++order) check_product(device(), dtype, size, order & 1, order & 2);
  check_product(device(), dtype, {5, 6, 0}, false, true, {.bias = true});
}

/// Which kernel of the tensor cores a product gets is decided by its shape: one for each.
void tiles() {
  struct Choice {
    TileKind kind;
    Size size;
  };
  for (const auto& [kind, size] : {Choice{TileKind::huge, {200, 504, 72}}, Choice{TileKind::large, {120, 120, 104}},
                                   Choice{TileKind::small, {60, 120, 40}}}) {
    CHECK(choose_tile(size.m, size.n, 1, 1, 227 * 1024) == kind);
    for (int order = 0; order < 4; ++order) {
      check_product(device(1), DType::bf16, size, order & 1, order & 2, {.bias = true, .c = DType::bf16});
      check_product(device(1), DType::bf16, size, order & 1, order & 2, {.sums = true}, {1, 1});
    }
  }
  // With less shared memory no tile is chosen that needs more.
  CHECK(choose_tile(200, 504, 1, 1, 99 * 1024) == TileKind::large);
  CHECK(choose_tile(200, 504, 1, 1, 48 * 1024) == TileKind::small);
  check_product(device(1), DType::f32, {250, 130, 70}, false, true, {.bias = true, .sums = true});
  // A multiprocessor in which two of the large tiles have no room computes the same bits in less.
  CHECK(fits_beside_itself<LargeTile>(164 * 1024) && !fits_beside_itself<LargeTile>(100 * 1024));
  for (int order = 0; order < 4; ++order)
    for (const Epilogues& e : {Epilogues{.bias = true, .sums = true, .c = DType::bf16}, Epilogues{.accumulate = true}})
      CHECK(check_product(device(1, 99 * 1024), DType::bf16, {120, 120, 104}, order & 1, order & 2, e) ==
            check_product(device(1), DType::bf16, {120, 120, 104}, order & 1, order & 2, e));
}

void epilogues(DType dtype) {
  for (const Size& size : {Size{45, 70, 40}, Size{16, 64, 24}})
    for (const Epilogues& e :
         {Epilogues{.accumulate = true}, Epilogues{.accumulate = true, .c = dtype}, Epilogues{.bias = true, .c = dtype},
          Epilogues{.bias = true, .keep = true, .gelu = true, .c = dtype}, Epilogues{.gate = true, .c = dtype},
          Epilogues{.gate = true, .sums = true, .c = dtype}, Epilogues{.bias = true, .residual = 1, .c = dtype},
          Epilogues{.bias = true, .residual = 2, .c = dtype}, Epilogues{.bias = true, .gelu = true, .residual = 1}})
      check_product(device(), dtype, size, false, true, e);
}

/// What a new process, in which VIDEOMAE_CUBLASLT has this value, says of a plain product.
std::string with_cublaslt(const char* value) {
  int pipe_ends[2];
  if (pipe(pipe_ends) != 0) return "no pipe";
  const pid_t child = fork();
  if (child == 0) {
    setenv("VIDEOMAE_CUBLASLT", value, 1);
    std::string said;
    try {
      check_product(device(), DType::f32, {5, 6, 7}, false, true);
      said = (test::failures ? "wrong; " : "right; ") + cublaslt_library().reason + cublaslt_choices();
    } catch (const Error& error) {
      said = error.what();
    }
    const ssize_t written = write(pipe_ends[1], said.data(), said.size());
    _exit(written < 0);
  }
  close(pipe_ends[1]);
  std::string text;
  char part[512];
  for (ssize_t got; (got = read(pipe_ends[0], part, sizeof part)) > 0;) text.append(part, static_cast<size_t>(got));
  close(pipe_ends[0]);
  waitpid(child, nullptr, 0);
  return text;
}

/// cuBLASLt left out is said, and asked for in vain an error.
void cublaslt_choice() {
  CHECK(with_cublaslt("off") == "right; VIDEOMAE_CUBLASLT=off");
  const std::string text = with_cublaslt("/nowhere");
  CHECK(text.find("cuBLASLt: expected the library that VIDEOMAE_CUBLASLT asks for") == 0);
  CHECK(text.find("/nowhere/libcublasLt.so.13") != std::string::npos);
}

/// Every fragment's rows are where the tile's layout has them, and neither reading them nor copying the tile in meets a
/// bank of shared memory twice: 8 rows, or chunks, of 16 bytes at a time.
template <Major major, int mn, int threads>
void tile_layout() {
  using Tile = OperandTile<major, mn, threads>;
  const auto conflicts = [](const uint32_t(&offsets)[8]) {
    int seen[8] = {}, most = 0;
    for (const uint32_t offset : offsets) most = std::max(most, ++seen[offset / 16 % 8]);
    return most > 1;
  };
  int met = 0, misplaced = 0;
  for (const Side side : {Side::a, Side::b})
    for (int first = 0; first < mn; first += 32)
      for (int i = 0; i < 2; ++i)
        for (int j = 0; j < kStep / kFragmentK; ++j)
          for (int matrix = 0; matrix < 4; ++matrix) {
            uint32_t rows[8];
            for (int r = 0; r < 8; ++r) {
              rows[r] = Tile::moved(Tile::fragment_offset(side, 8 * matrix + r, first), i, j);
              for (int x = 0; x < 8; ++x) {
                // Element x of this row goes to register `matrix` of the lane that ldmatrix gives it to.
                const bool turned = major == Major::mn;
                int lane = 0, half = 0;
                while (!(ldmatrix_place(lane, half, turned) == cuda::Place{r, x})) half ? (half = 0, ++lane) : ++half;
                const auto place =
                    side == Side::a ? mma_a_place({lane, matrix, half}) : mma_b_place({lane, matrix % 2, half});
                const int along_mn = side == Side::a ? place.row : place.col + matrix / 2 * 8;
                const int along_k = side == Side::a ? place.col : place.row;
                const uint32_t wanted = Tile::layout().offset(first + 16 * i + along_mn, 16 * j + along_k);
                misplaced += wanted != rows[r] + 2 * x;
              }
            }
            met += conflicts(rows);
          }
  for (int thread = 0; thread < threads; thread += 8) {
    uint32_t chunks[8];
    for (int t = 0; t < 8; ++t) chunks[t] = Tile::copy_offset(thread + t);
    met += conflicts(chunks);
  }
  CHECK(misplaced == 0);
  CHECK(met == 0);
}

}  // namespace
}  // namespace videomae::cuda

int main() {
  using namespace videomae;
  using namespace videomae::cuda;
  run_case("cuBLASLt asked for or left out", cublaslt_choice);
  setenv("VIDEOMAE_CUBLASLT", "off", 1);
  run_case("fragments and banks", [] {
    tile_layout<Major::k, 256, 256>(), tile_layout<Major::mn, 256, 256>();
    tile_layout<Major::k, 128, 256>(), tile_layout<Major::mn, 128, 256>();
    tile_layout<Major::k, 128, 128>(), tile_layout<Major::mn, 128, 128>();
    tile_layout<Major::k, 64, 128>(), tile_layout<Major::mn, 64, 128>();
  });
  run_case("tiles", tiles);
  for (const DType dtype : {DType::bf16, DType::f32}) {
    const std::string in = std::string(" ") + name_of(dtype);
    run_case("orders and sizes" + in, [&] { orders_and_sizes(dtype); });
    run_case("alignments" + in, [&] { alignments(dtype); });
    run_case("epilogues" + in, [&] { epilogues(dtype); });
    run_case("parts of k" + in, [&] { parts(dtype); });
    run_case("same bits" + in, [&] { same_bits(dtype); });
    run_case("NaN and infinity" + in, [&] { not_numbers(dtype); });
  }
  return test::exit_status();
}
