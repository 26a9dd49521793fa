#include "convert.h"

#include "errors.h"

#include <ATen/core/Dict.h>
#include <ATen/core/List.h>

#include <optional>

namespace dlbacktrace::torch_ {
namespace {

using Kind = Argument::Kind;

/// What the caller gave, in the caller's words.
std::string described(const Argument& argument) {
  switch (argument.kind) {
    case Kind::List: return "a list of " + std::to_string(argument.items.size());
    case Kind::Tuple: return "a tuple of " + std::to_string(argument.items.size());
    case Kind::Dict: return "a dictionary of " + std::to_string(argument.items.size() / 2);
    case Kind::Leaf: break;
  }
  if (!argument.value.isTensor()) return argument.value.isNone() ? "None" : argument.value.tagKind();
  std::ostringstream text;
  text << "a " << argument.value.toTensor().scalar_type() << " tensor of shape " << argument.value.toTensor().sizes();
  return text.str();
}

/// A single number: itself, or the element of a tensor of one element.
std::optional<c10::Scalar> number(const c10::IValue& value) {
  if (value.isScalar()) return value.toScalar();
  if (value.isTensor() && value.toTensor().defined() && value.toTensor().numel() == 1) return value.toTensor().item();
  return std::nullopt;
}

/// A leaf as `type`; empty if it does not fit.
std::optional<c10::IValue> leaf(const c10::IValue& value, const c10::Type& type) {
  const auto scalar = number(value);
  switch (type.kind()) {
    case c10::TypeKind::TensorType:
      if (value.isTensor() && value.toTensor().defined()) return value;
      return std::nullopt;
    case c10::TypeKind::FloatType:
      if (scalar && (scalar->isFloatingPoint() || scalar->isIntegral(false))) return scalar->toDouble();
      return std::nullopt;
    case c10::TypeKind::IntType:
      if (scalar && scalar->isIntegral(false)) return scalar->toLong();
      return std::nullopt;
    case c10::TypeKind::BoolType:
      if (scalar && scalar->isBoolean()) return scalar->toBool();
      return std::nullopt;
    case c10::TypeKind::NumberType:
      if (scalar) return c10::IValue(*scalar);
      return std::nullopt;
    case c10::TypeKind::StringType:
      if (value.isString()) return value;
      return std::nullopt;
    case c10::TypeKind::DeviceObjType:
      if (value.isString()) return c10::IValue(c10::Device(value.toStringRef()));
      return std::nullopt;
    case c10::TypeKind::NoneType:
    case c10::TypeKind::AnyType:
      if (value.isNone() || type.kind() == c10::TypeKind::AnyType) return value;
      return std::nullopt;
    default: return std::nullopt;
  }
}

class Conversion {
 public:
  Conversion(const std::string& wanted) : wanted_(wanted) {}

  c10::IValue run(const Argument& argument, const c10::TypePtr& type, const std::string& path) const {
    if (auto optional = type->cast<c10::OptionalType>()) {
      const bool none = argument.kind == Kind::Leaf && argument.value.isNone();
      return none ? c10::IValue() : run(argument, optional->getElementType(), path);
    }
    if (auto any_of = type->cast<c10::UnionType>()) return first_fit(argument, *any_of, path);
    auto list = type->cast<c10::ListType>();
    if (list && argument.kind == Kind::List) return make_list(argument, *list, path);
    auto tuple = type->cast<c10::TupleType>();
    if (tuple && argument.kind == Kind::Tuple) return make_tuple(argument, tuple, path);
    auto dict = type->cast<c10::DictType>();
    if (dict && argument.kind == Kind::Dict) return make_dict(argument, *dict, path);
    if (argument.kind == Kind::Leaf) {
      if (auto value = leaf(argument.value, *type)) return *value;
    }
    misfit(argument, *type, path);
  }

 private:
  c10::IValue make_list(const Argument& argument, const c10::ListType& type, const std::string& path) const {
    c10::impl::GenericList list(type.getElementType());
    list.reserve(argument.items.size());
    for (size_t i = 0; i < argument.items.size(); ++i) {
      list.push_back(run(argument.items[i], type.getElementType(), path + "[" + std::to_string(i) + "]"));
    }
    return list;
  }

  c10::IValue make_tuple(const Argument& argument, const c10::TupleTypePtr& type, const std::string& path) const {
    const auto types = type->elements();
    if (types.size() != argument.items.size()) misfit(argument, *type, path);
    std::vector<c10::IValue> elements;
    for (size_t i = 0; i < types.size(); ++i) {
      elements.push_back(run(argument.items[i], types[i], path + "[" + std::to_string(i) + "]"));
    }
    if (type->name()) return c10::ivalue::Tuple::createNamed(std::move(elements), type);
    return c10::ivalue::Tuple::create(std::move(elements));
  }

  c10::IValue make_dict(const Argument& argument, const c10::DictType& type, const std::string& path) const {
    c10::impl::GenericDict dict(type.getKeyType(), type.getValueType());
    for (size_t i = 0; i + 1 < argument.items.size(); i += 2) {
      c10::IValue key = run(argument.items[i], type.getKeyType(), path + " key");
      std::ostringstream inner;
      inner << path << "[" << key << "]";
      dict.insert_or_assign(key, run(argument.items[i + 1], type.getValueType(), inner.str()));
    }
    return dict;
  }

  c10::IValue first_fit(const Argument& argument, const c10::UnionType& type, const std::string& path) const {
    for (const auto& member : type.containedTypes()) {
      try {
        return run(argument, member, path);
      } catch (const c10::Error&) {
        // The next member may fit; if none does, the error below names the union.
      }
    }
    misfit(argument, type, path);
  }

  [[noreturn]] void misfit(const Argument& argument, const c10::Type& type, const std::string& path) const {
    TORCH_CHECK(false, "argument '", path, "' must be ", type.annotation_str(), ", got ", described(argument), wanted_);
  }

  const std::string& wanted_;
};

}  // namespace

c10::IValue convert(const Argument& argument, const c10::TypePtr& type, const std::string& path, const std::string& wanted) {
  return Conversion(wanted).run(argument, type, path);
}

}  // namespace dlbacktrace::torch_
