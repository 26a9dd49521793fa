#pragma once
// The arguments of a call as the caller gives them, and their conversion to the types that a schema takes.

#include "rust/cxx.h"

#include <ATen/core/ivalue.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace c10 {
struct FunctionSchema;
}

namespace dlbacktrace::torch_ {

enum class Container : std::uint8_t;
using AtTensor = at::Tensor;

/// A leaf (`items` empty, `value` set) or a container of arguments. The items of a dictionary are key, value, key, value, ...
struct Argument {
  enum class Kind { Leaf, List, Tuple, Dict };
  Kind kind = Kind::Leaf;
  c10::IValue value;
  std::vector<Argument> items;
};

/// A given argument, converted, and the name of its formal argument.
struct Given {
  std::string name;
  c10::IValue value;
};

struct Bound {
  std::vector<c10::IValue> stack;  ///< all arguments behind `self`, defaults included
  std::vector<Given> given;        ///< those that the caller gave
};

class Arguments {
 public:
  void push_none();
  void push_tensor(const AtTensor& tensor);
  void push_int(int64_t value);
  void push_float(double value);
  void push_bool(bool value);
  void push_text(rust::Str value);
  /// The arguments until close() are the items of one list, tuple or dictionary.
  void open(Container container);
  void close();
  /// The next argument has this name; earlier ones have positions.
  void keyword(rust::Str name);

  /// Converts to what `schema` takes after `self`. Tensors are copied, so that a run never writes the caller's.
  Bound bind(const c10::FunctionSchema& schema) const;
  /// Converts to what an operator's `schema` takes, with defaults filled in. Tensors are shared.
  std::vector<c10::IValue> operands(const c10::FunctionSchema& schema) const;

 private:
  void push(Argument argument);

  std::vector<Argument> positional_;
  std::vector<std::pair<std::string, Argument>> keyword_;
  std::vector<Argument> open_;
  std::string next_name_;
};

std::unique_ptr<Arguments> new_arguments();

}  // namespace dlbacktrace::torch_
