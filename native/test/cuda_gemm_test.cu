// Products on a GPU's kernels, as the emulator runs them, against plain sums in f64: every order of operands, tile and
// epilogue at odd sizes, alignments and strides; bits in any order of threads; banks of shared memory.
#include <sys/wait.h>
#include <unistd.h>

#include "core/bfloat16.h"
#include "cuda/cublaslt.h"
#include "cuda/device/mma_layout.h"
#include "cuda/emu/launch.h"
#include "cuda/gemm.h"
#include "cuda/gemm_plan.h"
#include "cuda/runtime.h"
#include "test/check.h"

namespace videomae::cuda {

/// As where there is a driver: cuBLASLt is looked for, which the emulator's plug-in does not do.
const bool runtime::needs_driver = true;

namespace {

using test::run_case;

/// Numbers of f32 or bf16, and what they are in f64.
struct Numbers {
  DType dtype;
  std::vector<double> exact;
  std::vector<float> wide;
  std::vector<bf16> narrow;

  Numbers(DType dtype, size_t count, uint64_t seed) : dtype(dtype), exact(test::numbers<float>(count, seed).size()) {
    wide = test::numbers<float>(count, seed);
    for (size_t i = 0; i < count; ++i) {
      if (dtype == DType::bf16) narrow.push_back(videomae::to_bf16(wide[i])), wide[i] = videomae::to_float(narrow[i]);
      exact[i] = wide[i];
    }
  }
  /// A buffer of NaN.
  Numbers(DType dtype, size_t count) : dtype(dtype), wide(count, NAN), narrow(count, videomae::to_bf16(NAN)) {}

  void* at(size_t offset = 0) {
    return dtype == DType::f32 ? static_cast<void*>(wide.data() + offset) : static_cast<void*>(narrow.data() + offset);
  }
  double got(size_t i) const { return dtype == DType::f32 ? wide[i] : videomae::to_float(narrow[i]); }
};

Context device(int multiprocessors = 4, uint64_t shared = 227 * 1024) {
  Context context;
  context.limits = {90, multiprocessors, shared, shared + 1024};
  return context;
}

struct Epilogues {
  bool accumulate = false, bias = false, keep = false, gelu = false, gate = false, sums = false;
  int residual = 0;  // 1: of the operands' dtype, 2: f32 rows of a table
  DType c = DType::f32;
};

struct Size {
  int64_t m, n, k;
};

/// Rows `pad` elements longer than they need be, and everything begins `offset` elements late.
struct Place {
  int64_t pad = 0, offset = 0;
};

double gelu_of(double x) { return 0.5 * x * std::erfc(-x * 0.70710678118654752440); }
double gelu_slope(double x) {
  return 0.5 * std::erfc(-x * 0.70710678118654752440) + x * std::exp(-0.5 * x * x) * 0.39894228040143267794;
}

/// Error of one product relative to the f64 sums; C, kept pre-activations and column sums by the law of low precision.
/// @returns C's bits
std::vector<char> check_product(const Context& context, DType dtype, Size size, bool at, bool bt, Epilogues e = {},
                                Place place = {}) {
  const auto [m, n, k] = size;
  const int64_t lda = (at ? m : k) + place.pad, ldb = (bt ? k : n) + place.pad, ldc = n + place.pad;
  const int64_t o = place.offset;
  Numbers a(dtype, (at ? k : m) * lda + o, 1), b(dtype, (bt ? n : k) * ldb + o, 2), bias(DType::f32, n + o, 3);
  Numbers gate(dtype, m * ldc + o, 4), table(e.residual == 2 ? DType::f32 : dtype, (m + 5) * ldc + o, 5);
  Numbers before(e.c, m * ldc + o, 6), kept(dtype, m * ldc + o), sums(DType::f32, n);
  Numbers c = before;
  std::vector<int32_t> rows(m);
  for (int64_t i = 0; i < m; ++i) rows[i] = static_cast<int32_t>(i * 7 % (m + 5));

  Gemm g{dtype, m, n, k, a.at(o), lda, at, b.at(o), ldb, bt, c.at(o), ldc, e.c};
  g.accumulate = e.accumulate, g.gelu = e.gelu;
  if (e.bias) g.bias = static_cast<float*>(bias.at(o));
  if (e.keep) g.preactivation = kept.at(o);
  if (e.gate) g.gate = gate.at(o);
  if (e.sums) g.column_sums = sums.wide.data();
  if (e.residual) g.residual = table.at(o), g.residual_dtype = table.dtype, g.residual_ld = ldc;
  if (e.residual == 2) g.residual_rows = rows.data(), g.residual_count = m + 5;
  const size_t bytes = gemm_workspace(g, e.sums ? After::column_sums : g.plain() ? After::nothing : After::steps);
  test::Workspace workspace(bytes);
  if (bytes) std::memset(workspace.get(), 0xA5, bytes);
  gemm(context, g, workspace.get());

  struct Error {
    double square = 0, norm = 0, rounding = 0;
    void add(double got, double expected, DType dtype) {
      square += (got - expected) * (got - expected), norm += expected * expected;
      const float rounded = static_cast<float>(expected);
      const double naive = (dtype == DType::f32 ? rounded : videomae::to_float(videomae::to_bf16(rounded))) - expected;
      rounding += naive * naive;
    }
    /// The law: at most twice what rounding the exact result costs, and 2e-5.
    bool good() const {
      return !(std::sqrt(square) > 2 * std::sqrt(rounding) + 2e-5 * std::sqrt(norm)) && square == square;
    }
  } of_c, of_kept, of_sums;
  bool untouched = true;
  std::vector<double> columns(n);
  for (int64_t i = 0; i < m; ++i) {
    for (int64_t j = 0; j < n; ++j) {
      double v = 0;
      for (int64_t x = 0; x < k; ++x)
        v += a.exact[o + (at ? x * lda + i : i * lda + x)] * b.exact[o + (bt ? j * ldb + x : x * ldb + j)];
      const int64_t here = o + i * ldc + j;
      if (e.accumulate) v += before.exact[here];
      if (e.bias) v += bias.exact[o + j];
      if (e.keep) of_kept.add(kept.got(here), v, dtype);
      if (e.gelu) v = gelu_of(v);
      if (e.gate) v *= gelu_slope(gate.exact[here]);
      if (e.residual) v += table.exact[o + (e.residual == 2 ? rows[i] : i) * ldc + j];
      of_c.add(c.got(here), v, e.c);
      columns[j] += v;
    }
    for (int64_t j = n; j < ldc; ++j) untouched = untouched && c.got(o + i * ldc + j) == before.exact[o + i * ldc + j];
  }
  for (int64_t j = 0; j < n && e.sums; ++j) of_sums.add(sums.wide[j], columns[j], DType::f32);
  CHECK(of_c.good() && of_kept.good() && of_sums.good());
  CHECK(untouched);
  const char* elements = static_cast<char*>(c.at());
  return {elements, elements + (o + m * ldc) * size_of(e.c)};
}

void orders_and_sizes(DType dtype) {
  const Size sizes[] = {{1, 1, 1}, {7, 13, 5}, {64, 64, 32}, {65, 130, 96}, {37, 257, 64}, {3, 5, 200}, {128, 40, 33}};
  for (const Size& size : sizes)
    for (int order = 0; order < 4; ++order) check_product(device(), dtype, size, order & 1, order & 2);
  check_product(device(), dtype, {5, 6, 0}, false, true, {.bias = true});
}

void alignments(DType dtype) {
  for (int order = 0; order < 4; ++order)
    for (const Place& place : {Place{1, 0}, Place{0, 1}, Place{2, 2}, Place{3, 4}, Place{4, 4}, Place{8, 8}})
      check_product(device(), dtype, {24, 40, 48}, order & 1, order & 2, {.bias = true, .c = dtype}, place);
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

/// Few tiles and a long k: cut in parts, whose sums meet in order.
void parts(DType dtype) {
  CHECK(gemm_parts(40, 50, 1500, 1) > 2);
  CHECK(gemm_parts(5120, 3072, 768, 1) == 1 && gemm_parts(40, 50, 1500, 2) == 1);
  CHECK(gemm_parts(5120, 3072, 30000, 1) >= 4);  // sums over no more than 8192
  for (int parts = 1; parts < 8; ++parts) CHECK((parts - 1) * gemm_part_length(2000, parts) < 2000);
  check_product(device(), dtype, {40, 50, 1500}, true, false);
  check_product(device(), dtype, {33, 31, 1111}, true, false, {.accumulate = true}, {1, 1});
  check_product(device(), dtype, {33, 32, 1024}, false, true, {.bias = true, .keep = true, .gelu = true, .c = dtype});
}

void same_bits(DType dtype) {
  const auto all = [&] {
    std::vector<char> bits = check_product(device(), dtype, {70, 72, 600}, true, false, {.accumulate = true});
    const auto more =
        check_product(device(1), dtype, {130, 260, 40}, false, true, {.gate = true, .sums = true, .c = dtype});
    bits.insert(bits.end(), more.begin(), more.end());
    return bits;
  };
  const auto first = all();
  for (const auto& [order, seed] :
       {std::pair{emu::Order::forward, 1}, {emu::Order::reversed, 1}, {emu::Order::random, 7}}) {
    emu::set_order(order, static_cast<uint64_t>(seed));
    CHECK(all() == first);
  }
  emu::set_order(emu::Order::random, 1);
}

/// NaN and infinity go where they belong, and nowhere else: not into rows that share a tile, nor in from beyond a tail.
void not_numbers(DType dtype) {
  const int64_t m = 9, n = 11, k = 19;
  for (const float value : {NAN, INFINITY}) {
    Numbers a(dtype, m * k, 1), b(dtype, k * n, 2), c(DType::f32, m * n);
    a.wide[3 * k + 18] = value;
    if (dtype == DType::bf16) a.narrow[3 * k + 18] = videomae::to_bf16(value);
    gemm(device(), Gemm{dtype, m, n, k, a.at(), k, false, b.at(), n, false, c.at(), n, DType::f32}, nullptr);
    for (int64_t i = 0; i < m * n; ++i)
      CHECK(i / n != 3 ? std::isfinite(c.wide[i]) : std::isnan(value) ? std::isnan(c.wide[i]) : std::isinf(c.wide[i]));
  }
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
