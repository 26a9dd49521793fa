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
namespace {

/// Never closed: what a library registers stays in libtorch's tables. Its functions are resolved when they are called, because
/// those for other devices never are.
bool open(const std::string& file) { return dlopen(file.c_str(), RTLD_LAZY | RTLD_GLOBAL) != nullptr; }

std::string dlerror_text() {
  const char* text = dlerror();
  return text ? text : "the dynamic linker gives no reason";
}

/// Libraries of operators are linked to more of PyTorch than they use on the CPU. What lies beside libtorch is opened for them,
/// or else the stand-ins that set-up made.
void open_companions() {
  Dl_info here;
  if (!dladdr(reinterpret_cast<const void*>(&at::show_config), &here)) return;
  const std::string file = here.dli_fname;
  const std::string directory = file.substr(0, file.rfind('/') + 1);
  for (const char* name :
       {"libtorch.so", "libc10_cuda.so", "libtorch_cuda.so", "libtorch_python.so", "libcudart_registration.so"}) {
    if (!open(directory + name)) open(directory + "stand-ins/" + name);
  }
}

}  // namespace

rust::String libtorch_version() {
  // libtorch states its version only in its build settings: "..., TORCH_VERSION=2.13.0, ...".
  const std::string settings = at::show_config();
  const std::string mark = "TORCH_VERSION=";
  const auto at = settings.find(mark);
  if (at == std::string::npos) return TORCH_VERSION;
  const auto from = at + mark.size();
  return rust::String::lossy(settings.substr(from, settings.find_first_of(", \n", from) - from));
}

void load_library(rust::Str path) {
  guarded([&] {
    const std::string file(path);
    if (open(file)) return;
    open_companions();
    if (!open(file)) throw std::runtime_error(dlerror_text());
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
