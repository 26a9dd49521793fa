#include "ports.h"

#include <ATen/core/Dict.h>
#include <ATen/core/List.h>
#include <ATen/core/class_type.h>
#include <ATen/core/function_schema.h>
#include <ATen/core/jit_type.h>

#include <sstream>

namespace dlbacktrace::torch_ {
namespace {

std::string at_index(const std::string& root, size_t index) { return root + "[" + std::to_string(index) + "]"; }

std::string at_key(const std::string& root, const c10::IValue& key) {
  if (key.isString()) return root + "." + key.toStringRef();
  std::ostringstream text;
  text << root << "[" << key << "]";
  return text.str();
}

/// The names of a NamedTuple's fields; null for a plain tuple.
const c10::FunctionSchema* fields_of(const c10::IValue& tuple) {
  auto type = tuple.type()->cast<c10::TupleType>();
  return type && type->schema() ? type->schema().get() : nullptr;
}

}  // namespace

void each_tensor(const std::string& root, const c10::IValue& value,
                 const std::function<void(const std::string&, const at::Tensor&)>& visit) {
  if (value.isTensor()) {
    if (value.toTensor().defined()) visit(root, value.toTensor());
  } else if (value.isTuple()) {
    const auto* fields = fields_of(value);
    const auto& elements = value.toTupleRef().elements();
    for (size_t i = 0; i < elements.size(); ++i) {
      each_tensor(fields ? root + "." + fields->arguments()[i].name() : at_index(root, i), elements[i], visit);
    }
  } else if (value.isList()) {
    size_t i = 0;
    for (const c10::IValue& element : value.toListRef()) each_tensor(at_index(root, i++), element, visit);
  } else if (value.isGenericDict()) {
    for (const auto& entry : value.toGenericDict()) each_tensor(at_key(root, entry.key()), entry.value(), visit);
  } else if (value.isObject() && !value.toObjectRef().type()->is_module()) {
    const auto& object = value.toObjectRef();
    for (size_t i = 0; i < object.slots().size(); ++i) {
      each_tensor(root + "." + object.type()->getAttributeName(i), object.slots()[i], visit);
    }
  }
}

std::vector<at::Tensor> tensors_in(c10::ArrayRef<c10::IValue> values) {
  std::vector<at::Tensor> tensors;
  for (const c10::IValue& value : values) {
    each_tensor("", value, [&](const std::string&, const at::Tensor& tensor) { tensors.push_back(tensor); });
  }
  return tensors;
}

c10::IValue with_tensors(const c10::IValue& argument, const std::function<at::Tensor(const at::Tensor&)>& other) {
  if (argument.isTensor()) return argument.toTensor().defined() ? c10::IValue(other(argument.toTensor())) : argument;
  if (!argument.isList()) return argument;
  auto list = argument.toList().copy();
  for (size_t i = 0; i < list.size(); ++i) {
    const c10::IValue element = list.get(i);
    if (element.isTensor() && element.toTensor().defined()) list.set(i, other(element.toTensor()));
  }
  return list;
}

}  // namespace dlbacktrace::torch_
