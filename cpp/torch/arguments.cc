#include "arguments.h"

#include "convert.h"
#include "describe.h"
#include "dlbacktrace-torch-recorder/src/bridge.rs.h"
#include "errors.h"

#include <ATen/core/function_schema.h>

#include <algorithm>

namespace dlbacktrace::torch_ {
namespace {

/// The formal arguments from `first` on, as TorchScript writes them: "forward(Tensor x, int sr=16000)".
std::string signature(const c10::FunctionSchema& schema, size_t first) {
  std::ostringstream text;
  text << schema.name() << "(";
  const auto& formals = schema.arguments();
  for (size_t i = first; i < formals.size(); ++i) {
    text << (i > first ? ", " : "") << describe(*formals[i].type()) << " " << formals[i].name();
    if (formals[i].default_value()) text << "=" << *formals[i].default_value();
  }
  text << ")";
  return text.str();
}

Argument with_own_tensors(Argument argument) {
  if (argument.value.isTensor() && argument.value.toTensor().defined()) {
    argument.value = argument.value.toTensor().clone();
  }
  for (Argument& item : argument.items) item = with_own_tensors(std::move(item));
  return argument;
}

}  // namespace

std::unique_ptr<Arguments> new_arguments() { return std::make_unique<Arguments>(); }

void Arguments::push(Argument argument) {
  if (!open_.empty()) {
    open_.back().items.push_back(std::move(argument));
  } else if (next_name_.empty()) {
    TORCH_CHECK(keyword_.empty(), "positional arguments must stand before those by name");
    positional_.push_back(std::move(argument));
  } else {
    keyword_.emplace_back(std::exchange(next_name_, {}), std::move(argument));
  }
}

void Arguments::push_none() {
  guarded([&] { push({}); });
}
void Arguments::push_tensor(const AtTensor& tensor) {
  guarded([&] { push({Argument::Kind::Leaf, tensor, {}}); });
}
void Arguments::push_int(int64_t value) {
  guarded([&] { push({Argument::Kind::Leaf, value, {}}); });
}
void Arguments::push_float(double value) {
  guarded([&] { push({Argument::Kind::Leaf, value, {}}); });
}
void Arguments::push_bool(bool value) {
  guarded([&] { push({Argument::Kind::Leaf, value, {}}); });
}
void Arguments::push_text(rust::Str value) {
  guarded([&] { push({Argument::Kind::Leaf, std::string(value), {}}); });
}

void Arguments::open(Container container) {
  guarded([&] {
    Argument argument;
    argument.kind = container == Container::List    ? Argument::Kind::List
                    : container == Container::Tuple ? Argument::Kind::Tuple
                                                    : Argument::Kind::Dict;
    open_.push_back(std::move(argument));
  });
}

void Arguments::close() {
  guarded([&] {
    TORCH_CHECK(!open_.empty(), "close() without open()");
    Argument argument = std::move(open_.back());
    open_.pop_back();
    push(std::move(argument));
  });
}

void Arguments::keyword(rust::Str name) {
  guarded([&] {
    TORCH_CHECK(open_.empty() && next_name_.empty() && !name.empty(), "a name must stand before one whole argument");
    next_name_ = std::string(name);
  });
}

std::vector<c10::IValue> Arguments::operands(const c10::FunctionSchema& schema) const {
  const auto& formals = schema.arguments();
  const std::string wanted = "; the operator is called as " + signature(schema, 0);
  TORCH_CHECK(positional_.size() <= formals.size(), "got ", positional_.size(), " arguments", wanted);
  std::vector<c10::IValue> stack;
  for (size_t i = 0; i < formals.size(); ++i) {
    if (i < positional_.size()) {
      stack.push_back(convert(positional_[i], formals[i].type(), formals[i].name(), wanted));
    } else {
      TORCH_CHECK(formals[i].default_value(), "argument '", formals[i].name(), "' is missing", wanted);
      stack.push_back(*formals[i].default_value());
    }
  }
  return stack;
}

Bound Arguments::bind(const c10::FunctionSchema& schema) const {
  const auto& formals = schema.arguments();
  const std::string wanted = "; the module is called as " + signature(schema, 1);
  TORCH_CHECK(positional_.size() < formals.size(), "got ", positional_.size(), " positional arguments, but there are only ",
              formals.size() - 1, wanted);
  std::vector<const Argument*> actual(formals.size(), nullptr);
  for (size_t i = 0; i < positional_.size(); ++i) actual[i + 1] = &positional_[i];
  for (const auto& [name, argument] : keyword_) {
    auto formal = std::find_if(formals.begin() + 1, formals.end(), [&](const auto& f) { return f.name() == name; });
    TORCH_CHECK(formal != formals.end(), "there is no argument '", name, "'", wanted);
    auto& slot = actual[formal - formals.begin()];
    TORCH_CHECK(!slot, "argument '", name, "' was given twice", wanted);
    slot = &argument;
  }
  Bound bound;
  for (size_t i = 1; i < formals.size(); ++i) {
    const std::string& name = formals[i].name();
    if (actual[i]) {
      bound.stack.push_back(convert(with_own_tensors(*actual[i]), formals[i].type(), name, wanted));
      bound.given.push_back({name, bound.stack.back()});
    } else {
      TORCH_CHECK(formals[i].default_value(), "argument '", name, "' is missing", wanted);
      bound.stack.push_back(*formals[i].default_value());
    }
  }
  return bound;
}

}  // namespace dlbacktrace::torch_
