// cuBLASLt for plain products, where the machine has it. It is opened when the first such product is asked for, and
// stays.
//
// VIDEOMAE_CUBLASLT chooses: `off` leaves it out; `on`, or the path of the library or of its folder, asks for it, and
// it is then an error that it is not there; unset, it is used where it is found. Its GELU is the tanh form, so products
// with an epilogue are ours (gemm_mma.cuh).
//
// Which of its algorithms computes a product is asked of its heuristics once for every shape, alignment and dtype,
// within a fixed workspace, among those whose sums are f32 in a fixed order.
#pragma once

#include <string>

#include "cuda/gemm.h"

namespace videomae::cuda {

/// Bytes of workspace that a plain product may take; 0 where cuBLASLt is not used.
/// @throws Error when it is asked for and not there
size_t cublaslt_workspace();

/// Starts a plain product. False when cuBLASLt is not used, or has no algorithm for it: the product is then ours.
bool cublaslt_product(const Context& context, const Gemm& product, void* workspace);

/// The library as it was found, or why it is not used.
struct CublasLtLibrary {
  std::string name;    // "cuBLASLt 13.1.1"; empty where it is not used
  std::string file;    // "/usr/lib/..."
  std::string reason;  // why it is not used
};

/// Looks for the library, where nothing has yet.
/// @throws Error when it is asked for and not there
const CublasLtLibrary& cublaslt_library();

/// A line for each product that it has chosen an algorithm for.
std::string cublaslt_choices();

}  // namespace videomae::cuda
