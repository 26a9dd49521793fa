#pragma once
// What Rust sees of the service.

#include "rust/cxx.h"

#include <ATen/core/Tensor.h>
#include <torch/csrc/jit/api/module.h>

namespace service {

/// Classifies a picture and prints which of its pixels decided.
void serve(rust::Str model, rust::Str picture);

}  // namespace service
