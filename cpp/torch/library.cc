#include "library.h"

#include "errors.h"

#include <ATen/Version.h>
#include <dlfcn.h>
#include <torch/headeronly/version.h>

#ifdef __GLIBC__
#include <malloc.h>
#endif

#include <string>

namespace dlbacktrace::torch_ {

rust::String libtorch_version() {
  // libtorch tells its version in its build settings only: "..., TORCH_VERSION=2.13.0, ...".
  const std::string settings = at::show_config();
  const std::string mark = "TORCH_VERSION=";
  const auto at = settings.find(mark);
  if (at == std::string::npos) return TORCH_VERSION;
  const auto from = at + mark.size();
  return rust::String::lossy(settings.substr(from, settings.find_first_of(", \n", from) - from));
}

void load_library(rust::Str path) {
  guarded([&] {
    // Never closed: what it registers stays in libtorch's tables.
    if (dlopen(std::string(path).c_str(), RTLD_NOW | RTLD_GLOBAL)) return;
    const char* text = dlerror();
    throw std::runtime_error(text ? text : "the dynamic linker gives no reason");
  });
}

void tune_allocator() {
#ifdef __GLIBC__
  mallopt(M_MMAP_THRESHOLD, 1 << 30);
  mallopt(M_TRIM_THRESHOLD, 2000000000);
  mallopt(M_TOP_PAD, 64 << 20);
#endif
}

}  // namespace dlbacktrace::torch_
