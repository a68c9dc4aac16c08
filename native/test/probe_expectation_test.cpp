// What the probes expect, without a GPU: the text of a report is exact, every probe has an expectation that its golden
// file bears out where there is one, and a wgmma computed through the expected layouts multiplies right.
#include <fstream>
#include <sstream>

#include "cuda/probe/probe.h"
#include "cuda/probe/tma_cases.h"
#include "cuda/probe/wgmma_products.h"
#include "test/check.h"
#include "test/layout_test.h"

namespace videomae::test {
namespace {

using probe::Report;

std::string table_text(const std::vector<int>& values, size_t columns) {
  Report report;
  report.table("t", values, columns);
  return report.text();
}

void reports() {
  CHECK(table_text({7, 7, 7, 1, 3, 5}, 6) == "t\n  0: 7*3 1+2*3\n");
  CHECK(table_text({0, 1, 2, 16, 17, 18, 32, 33, 34, 0, 0, 0}, 3) == "t\n  0..2: 0+1*3 (+16 a row)\n  3: 0*3\n");
  CHECK(table_text({-1, -1, -1, -1, 4, 3}, 2) == "t\n  0..1: -*2\n  2: 4-1*2\n");
  CHECK(table_text({-1, 0, 1, 2}, 4) == "t\n  0: - 0+1*3\n");
  // Nothing is not a number that a step could lead to.
  CHECK(table_text({1, 0, -1}, 3) == "t\n  0: 1-1*2 -\n" && table_text({0, -1}, 1) == "t\n  0: 0\n  1: -\n");
  // Different tables never make one text.
  CHECK(table_text({1, 2, 3, 5}, 4) != table_text({1, 2, 3, 4}, 4));
  CHECK(probe::first_difference("# a\nx\n  1\n", "x\n# b\n  1\n").empty());
  const std::string difference = probe::first_difference("x\n  1\n  2\n", "x\n  1\n  3\n");
  CHECK(difference == "line 3 of \"x\": expected \"  2\", got \"  3\"");
  CHECK(!probe::first_difference("x\n", "x\ny\n").empty() && !probe::first_difference("x\ny\n", "x\n").empty());
}

void golden_files() {
  int present = 0;
  for (const probe::Expectation& one : probe::kExpectations) {
    Report report;
    one.expect(report);
    CHECK(report.cases() > 0 && report.text().size() < 60000);
    std::ifstream file(std::string(VIDEOMAE_GOLDEN) + "/" + one.name + ".txt");
    if (!file) continue;
    ++present;
    std::stringstream golden;
    golden << file.rdbuf();
    const std::string difference = probe::first_difference(report.text(), golden.str());
    CHECK(difference.empty());
    if (!difference.empty()) std::printf("%s: %s\n", one.name, difference.c_str());
  }
  if (present == 0) std::printf("no golden files yet: the probes have not run on a GPU\n");
}

/// One m64nNk16 step and its three successors, computed from memory and registers through the layouts alone.
int wrong_products(int n, probe::ASource source, cuda::Major b_major, cuda::Swizzle swizzle) {
  constexpr int kK = probe::kProductK;
  const cuda::Major a_major = source == probe::ASource::shared_mn ? cuda::Major::mn : cuda::Major::k;
  const cuda::WgmmaTile a_tile{a_major, swizzle, 64, kK}, b_tile{b_major, swizzle, static_cast<uint32_t>(n), kK};
  std::vector<int> a_memory(a_tile.bytes() / 2), b_memory(b_tile.bytes() / 2);
  for (int k = 0; k < kK; ++k) {
    for (int m = 0; m < 64; ++m) a_memory[a_tile.offset(m, k) / 2] = probe::product_value(0, m, k);
    for (int i = 0; i < n; ++i) b_memory[b_tile.offset(i, k) / 2] = probe::product_value(1, i, k);
  }
  std::vector<int> d(64 * n);
  for (int k = 0; k < kK; k += 16) {
    const cuda::WgmmaDescriptor a = a_tile.descriptor(0, 0, k), b = b_tile.descriptor(0, 0, k);
    for (int m = 0; m < 64; ++m) {
      for (int i = 0; i < n; ++i) {
        for (int j = 0; j < 16; ++j) {
          const int left = source == probe::ASource::registers ? probe::product_value(0, m, k + j)
                                                               : a_memory[cuda::wgmma_address(a, a_major, m, j) / 2];
          d[m * n + i] += left * b_memory[cuda::wgmma_address(b, b_major, i, j) / 2];
        }
      }
    }
  }
  int wrong = 0;
  for (int m = 0; m < 64; ++m) {
    for (int i = 0; i < n; ++i) {
      int sum = 0;
      for (int k = 0; k < kK; ++k) sum += probe::product_value(0, m, k) * probe::product_value(1, i, k);
      wrong += sum != d[m * n + i];
    }
  }
  return wrong;
}

void wgmma_products() {
  for (const int n : {8, 80, 88, 96, 256}) {
    for (const probe::ASource source : probe::kASources) {
      for (const cuda::Major major : probe::kMajors) {
        for (const cuda::Swizzle swizzle : probe::kSwizzles) CHECK(wrong_products(n, source, major, swizzle) == 0);
      }
    }
  }
}

/// A box of the copy engine is a block of a WgmmaTile: what is loaded is what a descriptor describes.
void boxes_are_tiles() {
  for (const probe::TmaCase& c : probe::kTmaCases) {
    if (c.rank != 2 || c.swizzle == cuda::Swizzle::none) continue;
    const cuda::WgmmaTile rows{cuda::Major::k, c.swizzle, static_cast<uint32_t>(c.box[1]),
                               static_cast<uint32_t>(c.box[0])};
    const cuda::WgmmaTile columns{cuda::Major::mn, c.swizzle, static_cast<uint32_t>(c.box[0]),
                                  static_cast<uint32_t>(c.box[1])};
    for (int y = 0; y < c.box[1]; ++y) {
      for (int x = 0; x < c.box[0]; ++x) {
        CHECK(static_cast<int>(rows.offset(y, x) / 2) == probe::tma_shared(c, x, y, 0));
        CHECK(static_cast<int>(columns.offset(x, y) / 2) == probe::tma_shared(c, x, y, 0));
      }
    }
  }
}

}  // namespace
}  // namespace videomae::test

int main() {
  using namespace videomae::test;
  layout_cases();
  residency_cases();
  run_case("reports", reports);
  run_case("expectations and golden files", golden_files);
  run_case("products through wgmma tiles", wgmma_products);
  run_case("boxes of the copy engine are wgmma tiles", boxes_are_tiles);
  return exit_status();
}
