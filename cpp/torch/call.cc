#include "call.h"

#include "errors.h"
#include "ports.h"

#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/core/grad_mode.h>

namespace dlbacktrace::torch_ {

std::unique_ptr<Tensors> new_tensors() { return std::make_unique<Tensors>(); }

std::unique_ptr<Tensors> call_operator(rust::Str name, rust::Str overload, const Arguments& arguments) {
  return guarded([&] {
    const c10::AutoGradMode no_grad(false);
    const auto op = c10::Dispatcher::singleton().findSchemaOrThrow(std::string(name).c_str(), std::string(overload).c_str());
    c10::Stack stack = arguments.operands(op.schema());
    op.callBoxed(&stack);
    return std::make_unique<Tensors>(tensors_in(stack));
  });
}

}  // namespace dlbacktrace::torch_
