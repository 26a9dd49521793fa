#pragma once
// The libtorch library itself.

#include "rust/cxx.h"

namespace dlbacktrace::torch_ {

/// The version of the libtorch that is loaded: "2.13.0".
rust::String libtorch_version();
/// Opens a shared library that registers operators.
void load_library(rust::Str path);
/// Makes glibc's allocator keep big blocks; nothing elsewhere.
void tune_allocator();

}  // namespace dlbacktrace::torch_
