#pragma once
// The libtorch library itself.

#include "rust/cxx.h"

namespace dlbacktrace::torch_ {

/// The version of the loaded libtorch: "2.13.0".
rust::String libtorch_version();
/// Opens a shared library that registers operators.
void load_library(rust::Str path);
/// Makes glibc's allocator keep large blocks; does nothing elsewhere.
void tune_allocator();

}  // namespace dlbacktrace::torch_
