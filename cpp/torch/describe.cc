#include "describe.h"

#include <ATen/core/List.h>
#include <ATen/core/jit_type.h>

#include <algorithm>
#include <sstream>
#include <string_view>

namespace dlbacktrace::torch_ {
namespace {

bool is_tensor_or_none(const c10::IValue& value) { return value.isTensor() || value.isNone(); }

bool is_int(const c10::IValue& value) { return value.isInt() || value.isSymInt(); }

/// The kind of a list is that of its elements; an empty one has its declared type.
ArgumentKind kind_of_list(const c10::IValue& list) {
  const auto elements = list.toListRef();
  const auto all = [&](auto is) { return std::all_of(elements.begin(), elements.end(), is); };
  if (elements.empty()) {
    const auto type = list.type()->expectRef<c10::ListType>().getElementType();
    if (type->isSubtypeOf(*c10::OptionalType::ofTensor())) return ArgumentKind::Tensors;
    if (*type == *c10::IntType::get()) return ArgumentKind::Ints;
    if (*type == *c10::FloatType::get()) return ArgumentKind::Doubles;
    if (*type == *c10::BoolType::get()) return ArgumentKind::Bools;
    return ArgumentKind::Other;
  }
  if (all(is_tensor_or_none)) return ArgumentKind::Tensors;
  if (all(is_int)) return ArgumentKind::Ints;
  if (all([](const c10::IValue& value) { return value.isDouble(); })) return ArgumentKind::Doubles;
  if (all([](const c10::IValue& value) { return value.isBool(); })) return ArgumentKind::Bools;
  return ArgumentKind::Other;
}

ArgumentKind kind_of(const c10::IValue& value) {
  if (value.isNone() || (value.isTensor() && !value.toTensor().defined())) return ArgumentKind::None;
  if (value.isTensor()) return ArgumentKind::Tensor;
  if (value.isBool()) return ArgumentKind::Bool;
  if (is_int(value)) return ArgumentKind::Int;
  if (value.isDouble() || value.isSymFloat()) return ArgumentKind::Double;
  if (value.isString() || value.isDevice()) return ArgumentKind::Text;
  if (value.isList()) return kind_of_list(value);
  return ArgumentKind::Other;
}

int64_t int_of(const c10::IValue& value) {
  if (value.isBool()) return value.toBool() ? 1 : 0;
  return value.isSymInt() ? value.toSymInt().guard_int(__FILE__, __LINE__) : value.toInt();
}

double double_of(const c10::IValue& value) {
  return value.isSymFloat() ? value.toSymFloat().guard_float(__FILE__, __LINE__) : value.toDouble();
}

std::string text_of(const c10::IValue& value) {
  if (value.isString()) return value.toStringRef();
  if (value.isDevice()) return value.toDevice().str();
  std::ostringstream text;
  text << value;
  return text.str();
}

}  // namespace

RawArgument describe(const std::string& name, const c10::IValue& value,
                     const std::function<RawSlot(const at::Tensor&)>& slot_of) {
  RawArgument argument{rust::String::lossy(name), kind_of(value), {}, {}, {}, {}};
  const auto add = [&](const c10::IValue& part) {
    switch (argument.kind) {
      case ArgumentKind::Tensor:
      case ArgumentKind::Tensors: {
        const bool defined = part.isTensor() && part.toTensor().defined();
        argument.slots.push_back(defined ? slot_of(part.toTensor()) : RawSlot{0, true, false});
        break;
      }
      case ArgumentKind::Double:
      case ArgumentKind::Doubles: argument.doubles.push_back(double_of(part)); break;
      case ArgumentKind::None: break;
      case ArgumentKind::Text:
      case ArgumentKind::Other: argument.text = rust::String::lossy(text_of(part)); break;
      default: argument.ints.push_back(int_of(part));
    }
  };
  if (value.isList() && argument.kind != ArgumentKind::Other) {
    for (const c10::IValue& element : value.toListRef()) add(element);
  } else {
    add(value);
  }
  return argument;
}

std::string describe(const c10::Type& type) {
  return type.annotation_str([](const c10::Type& part) -> std::optional<std::string> {
    const auto* tuple = part.castRaw<c10::TupleType>();
    if (!tuple || !tuple->schema()) return std::nullopt;
    std::string text = "NamedTuple[";
    for (const c10::Argument& field : tuple->schema()->arguments()) {
      if (text.back() != '[') text += ", ";
      text += field.name() + ": " + describe(*field.type());
    }
    return text + "]";
  });
}

}  // namespace dlbacktrace::torch_
