// The inputs of a model. Threads may read a Value or Inputs at the same time, but only one may change it.
#pragma once

#include <dlbacktrace/error.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace dlbacktrace {

/// Elements of 16 bits, given as their bits.
enum class Half : std::uint16_t {};
enum class BFloat16 : std::uint16_t {};

/// The dlb_type of an element type.
template <class T>
constexpr int element_type() {
  if constexpr (std::is_same_v<T, float>) return DLB_TYPE_F32;
  else if constexpr (std::is_same_v<T, double>) return DLB_TYPE_F64;
  else if constexpr (std::is_same_v<T, Half>) return DLB_TYPE_F16;
  else if constexpr (std::is_same_v<T, BFloat16>) return DLB_TYPE_BF16;
  else if constexpr (std::is_integral_v<T> && std::is_signed_v<T> && sizeof(T) == 8) return DLB_TYPE_I64;
  else if constexpr (std::is_integral_v<T> && std::is_signed_v<T> && sizeof(T) == 4) return DLB_TYPE_I32;
  else if constexpr (std::is_same_v<T, std::uint8_t>) return DLB_TYPE_U8;
  else if constexpr (std::is_same_v<T, bool> && sizeof(bool) == 1) return DLB_TYPE_BOOL;
  else static_assert(!sizeof(T), "elements are float, double, Half, BFloat16, bool, uint8_t, or int of 32 or 64 bits");
}

/// One argument of a model, or a part of one.
class Value {
 public:
  /// A number, an integer or a truth value. Pointers are excluded, because they convert to a truth value.
  template <class T, std::enable_if_t<std::is_arithmetic_v<T>, int> = 0>
  Value(T number)
      : Value([number](dlb_request* request, const char* name) {
          if constexpr (std::is_same_v<T, bool>) return dlb_request_flag(request, name, number);
          else if constexpr (std::is_floating_point_v<T>) return dlb_request_number(request, name, number);
          else return dlb_request_integer(request, name, static_cast<std::int64_t>(number));
        }) {
    if constexpr (std::is_unsigned_v<T> && sizeof(T) >= sizeof(std::int64_t)) {
      if (number > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()))
        throw Error(Code::inputs, std::to_string(number) + " is larger than any integer of 64 bits with a sign");
    }
  }
  Value(detail::Text text)
      : Value([text = std::move(text)](dlb_request* request, const char* name) {
          return dlb_request_text(request, name, text.c_str());
        }) {}
  Value(std::string text) : Value(detail::Text(std::move(text))) {}
  Value(const char* text) : Value(detail::Text(text)) {}

  /// Bytes, such as a JPEG file or a serialised tf.Example, for a SavedModel that reads such bytes itself.
  [[nodiscard]] static Value bytes(std::string bytes) {
    return Value([bytes = std::move(bytes)](dlb_request* request, const char* name) {
      return dlb_request_bytes(request, name, bytes.data(), bytes.size());
    });
  }
  [[nodiscard]] static Value nothing() {
    return Value([](dlb_request* request, const char* name) { return dlb_request_nothing(request, name); });
  }
  [[nodiscard]] static Value list(std::vector<Value> items) { return container(DLB_CONTAINER_LIST, std::move(items)); }
  [[nodiscard]] static Value tuple(std::vector<Value> items) { return container(DLB_CONTAINER_TUPLE, std::move(items)); }
  [[nodiscard]] static Value dict(std::vector<std::pair<detail::Text, Value>> items) {
    const std::size_t depth = depth_around(items, [](const auto& item) { return item.second.depth_; });
    Value made([items = std::move(items)](dlb_request* request, const char* name) {
      detail::check(dlb_request_open(request, name, DLB_CONTAINER_DICT));
      for (const auto& [key, item] : items) item.add(request, key.c_str());
      return dlb_request_close(request);
    });
    made.depth_ = depth;
    return made;
  }

  /// Made from the function that adds it to a request; for other headers.
  template <class Add, class = std::enable_if_t<std::is_invocable_r_v<dlb_status, Add, dlb_request*, const char*>>>
  explicit Value(Add add) : add_(std::move(add)) {}

  void add(dlb_request* request, const char* name) const { detail::check(add_(request, name)); }

 private:
  static Value container(dlb_container kind, std::vector<Value> items) {
    const std::size_t depth = depth_around(items, [](const Value& item) { return item.depth_; });
    Value made([kind, items = std::move(items)](dlb_request* request, const char* name) {
      detail::check(dlb_request_open(request, name, kind));
      for (const auto& item : items) item.add(request, nullptr);
      return dlb_request_close(request);
    });
    made.depth_ = depth;
    return made;
  }

  /// The depth of a container of these items. It is bounded here already, because even to destroy a deeper one takes too much of
  /// the stack.
  template <class Items, class Depth>
  static std::size_t depth_around(const Items& items, Depth&& depth_of) {
    std::size_t depth = 1;
    for (const auto& item : items) depth = std::max(depth, depth_of(item) + 1);
    if (depth <= DLB_MAX_DEPTH) return depth;
    throw Error(Code::inputs, std::to_string(DLB_MAX_DEPTH) + " containers in each other are the most");
  }

  std::function<dlb_status(dlb_request*, const char*)> add_;
  std::size_t depth_ = 0;  ///< of containers in each other
};

/// An array in row-major order that the value owns.
template <class T, class = std::enable_if_t<!std::is_same_v<T, bool>>>
[[nodiscard]] Value array(std::vector<T> data, std::vector<std::size_t> shape) {
  detail::check_size(Code::inputs, "an array", data.size(), shape);
  return Value([data = std::move(data), shape = std::move(shape)](dlb_request* request, const char* name) {
    return dlb_request_array(request, name, element_type<T>(), data.data(), shape.data(), shape.size());
  });
}

/// An array in row-major order that the value borrows: the data must live until the last explanation of it is made.
template <class T>
[[nodiscard]] Value borrow(const T* data, std::vector<std::size_t> shape) {
  return Value([data, shape = std::move(shape)](dlb_request* request, const char* name) {
    return dlb_request_array(request, name, element_type<T>(), data, shape.data(), shape.size());
  });
}

/// The arguments of one run: by position, by name, or both. Arguments left out take their defaults.
class Inputs {
 public:
  Inputs& push(Value value) & { return items_.emplace_back(std::nullopt, std::move(value)), *this; }
  Inputs&& push(Value value) && { return std::move(push(std::move(value))); }
  Inputs& set(detail::Text name, Value value) & { return items_.emplace_back(std::move(name), std::move(value)), *this; }
  Inputs&& set(detail::Text name, Value value) && { return std::move(set(std::move(name), std::move(value))); }

  void add(dlb_request* request) const {
    for (const auto& [name, value] : items_) value.add(request, name ? name->c_str() : nullptr);
  }

 private:
  std::vector<std::pair<std::optional<detail::Text>, Value>> items_;
};

}  // namespace dlbacktrace
