// dlbacktrace: says why a model decided as it did. C++17, no headers of any framework.
//
//   dlbacktrace::Model model("classifier.pt");  // or the directory of a SavedModel
//   auto explanation = model.explain(dlbacktrace::Inputs().push(dlbacktrace::array(pixels.data(), {1, 3, 224, 224})));
//   dlbacktrace::View<float> relevance = explanation.inputs()[0].relevance();
//
// Whatever fails throws dlbacktrace::Error. Objects are handles that share what they stand for, so they may be destroyed in
// any order. A Model may be used by several threads at once, everything else by one at a time. Live modules and tensors of
// libtorch are in torch.hpp.
#pragma once

#include <dlbacktrace/dlbacktrace.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace dlbacktrace {

// ---- errors ----------------------------------------------------------------------------------------------------------

/// What is to be mended; the numbers are the exit codes of the command.
enum class Code {
  internal = DLB_INTERNAL,
  usage = DLB_USAGE,
  model = DLB_MODEL,
  rule = DLB_RULE,
  inputs = DLB_INPUTS,
  library = DLB_LIBRARY,
};

class Error : public std::runtime_error {
 public:
  Error(Code code, const std::string& message) : std::runtime_error(message), code_(code) {}
  Code code() const noexcept { return code_; }

 private:
  Code code_;
};

/// Throws unless the status is DLB_OK.
inline void check(int status) {
  if (status != DLB_OK) throw Error(static_cast<Code>(status), dlb_last_error());
}

// ---- inputs ----------------------------------------------------------------------------------------------------------

/// Elements of 16 bits, by their bits.
enum class Half : std::uint16_t {};
enum class BFloat16 : std::uint16_t {};

/// The dlb_type of an element type.
template <class T>
constexpr int element_type() {
  if constexpr (std::is_same_v<T, float>) return DLB_F32;
  else if constexpr (std::is_same_v<T, double>) return DLB_F64;
  else if constexpr (std::is_same_v<T, Half>) return DLB_F16;
  else if constexpr (std::is_same_v<T, BFloat16>) return DLB_BF16;
  else if constexpr (std::is_integral_v<T> && std::is_signed_v<T> && sizeof(T) == 8) return DLB_I64;
  else if constexpr (std::is_integral_v<T> && std::is_signed_v<T> && sizeof(T) == 4) return DLB_I32;
  else if constexpr (std::is_same_v<T, std::uint8_t>) return DLB_U8;
  else if constexpr (std::is_same_v<T, bool> && sizeof(bool) == 1) return DLB_BOOL;
  else static_assert(!sizeof(T), "an array's elements are float, double, Half, BFloat16, integers of 8 (unsigned), 32 or 64 bits, or bool");
}

/// One argument of a model, or a part of one.
class Value {
 public:
  /// A number, an integer or a truth value; no pointer, which would be one as well.
  template <class T, std::enable_if_t<std::is_arithmetic_v<T>, int> = 0>
  Value(T number)
      : Value([number](dlb_request* request, const char* name) {
          if constexpr (std::is_same_v<T, bool>) return dlb_request_flag(request, name, number);
          else if constexpr (std::is_integral_v<T>) return dlb_request_integer(request, name, static_cast<std::int64_t>(number));
          else return dlb_request_number(request, name, number);
        }) {}
  Value(std::string text)
      : Value([text = std::move(text)](dlb_request* request, const char* name) {
          return dlb_request_text(request, name, text.c_str());
        }) {}
  Value(const char* text) : Value(std::string(text)) {}

  static Value nothing() {
    return Value([](dlb_request* request, const char* name) { return dlb_request_nothing(request, name); });
  }
  static Value list(std::vector<Value> items) { return container(DLB_LIST, std::move(items)); }
  static Value tuple(std::vector<Value> items) { return container(DLB_TUPLE, std::move(items)); }
  static Value dict(std::vector<std::pair<std::string, Value>> items) {
    return Value([items = std::move(items)](dlb_request* request, const char* name) {
      check(dlb_request_open(request, name, DLB_DICT));
      for (const auto& [key, item] : items) item.add(request, key.c_str());
      return dlb_request_close(request);
    });
  }

  /// Of what adds it to a request; for other headers.
  template <class Add, class = std::enable_if_t<std::is_invocable_r_v<int, Add, dlb_request*, const char*>>>
  explicit Value(Add add) : add_(std::move(add)) {}

  void add(dlb_request* request, const char* name) const { check(add_(request, name)); }

 private:
  static Value container(dlb_container kind, std::vector<Value> items) {
    return Value([kind, items = std::move(items)](dlb_request* request, const char* name) {
      check(dlb_request_open(request, name, kind));
      for (const auto& item : items) item.add(request, nullptr);
      return dlb_request_close(request);
    });
  }

  std::function<int(dlb_request*, const char*)> add_;
};

/// An array in row-major order; the data must stay until the explanation is made.
template <class T>
Value array(const T* data, std::vector<std::size_t> shape) {
  return Value([data, shape = std::move(shape)](dlb_request* request, const char* name) {
    return dlb_request_array(request, name, element_type<T>(), data, shape.data(), shape.size());
  });
}

/// An array that is kept with the value.
template <class T, class = std::enable_if_t<!std::is_same_v<T, bool>>>
Value array(std::vector<T> data, std::vector<std::size_t> shape) {
  std::size_t size = 1;
  for (std::size_t extent : shape) size *= extent;
  if (size != data.size()) throw Error(Code::inputs, "an array has more or fewer elements than its shape says");
  return Value([data = std::move(data), shape = std::move(shape)](dlb_request* request, const char* name) {
    return dlb_request_array(request, name, element_type<T>(), data.data(), shape.data(), shape.size());
  });
}

/// The arguments of one run: by position, by name, or both. Those left out take their defaults.
class Inputs {
 public:
  Inputs& push(Value value) & { return items_.emplace_back(std::nullopt, std::move(value)), *this; }
  Inputs&& push(Value value) && { return std::move(push(std::move(value))); }
  Inputs& set(std::string name, Value value) & { return items_.emplace_back(std::move(name), std::move(value)), *this; }
  Inputs&& set(std::string name, Value value) && { return std::move(set(std::move(name), std::move(value))); }

  void add(dlb_request* request) const {
    for (const auto& [name, value] : items_) value.add(request, name ? name->c_str() : nullptr);
  }

 private:
  std::vector<std::pair<std::optional<std::string>, Value>> items_;
};

// ---- options ---------------------------------------------------------------------------------------------------------

/// The gate of an activation; a bound that is not there is not given.
struct Gate {
  std::optional<double> lower, upper, swish;
};

/// A start of one's own: at the output, or at what a module returns.
struct Seed {
  std::vector<double> positive;
  std::vector<std::size_t> shape;
  std::optional<std::string> module;
  std::vector<double> negative; ///< for contrastive mode; may be empty
};

enum class Mode { standard = DLB_DEFAULT, contrastive = DLB_CONTRASTIVE };
enum class Task { classification = DLB_CLASSIFICATION, bounding_box = DLB_BOUNDING_BOX, segmentation = DLB_SEGMENTATION, next_token = DLB_NEXT_TOKEN };

/// The explained unit of each sample; the largest output by default.
struct Target {
  static Target argmax() { return {DLB_ARGMAX, 0}; }
  static Target unit(std::size_t unit) { return {DLB_UNIT, unit}; }
  static Target all() { return {DLB_ALL, 0}; }

  int kind;
  std::size_t number;
};

/// How to explain; what is not set is as the rules have it.
struct Options {
  Mode mode = Mode::standard;
  Task task = Task::classification;
  double threshold = 0.5;             ///< of segmentation
  Target target = Target::argmax();
  std::size_t output = 0;             ///< counted over the flattened outputs
  std::optional<std::string> output_name;  ///< in place of `output`
  std::optional<Seed> seed;
  bool gates = true;
  std::map<std::string, std::optional<Gate>> gate_of;  ///< by module; nothing for none
  std::optional<double> scaler;
  double multiplier = 1;
  bool from_logits = false;
  bool all_values = false;
  bool modules = false;  ///< what passed through each module, in the JSON
  std::vector<std::string> numeric_inputs;
  bool allow_unruled = false;
  /// Told of each walked step. What it throws leaves explain() when the walk is done.
  std::function<void(std::size_t done, std::size_t total)> progress;

  void add(dlb_request* request) const {
    check(dlb_request_mode(request, static_cast<int>(mode)));
    check(dlb_request_task(request, static_cast<int>(task), threshold));
    check(dlb_request_target(request, target.kind, target.number));
    check(output_name ? dlb_request_output_named(request, output_name->c_str()) : dlb_request_output(request, output));
    if (seed) add_seed(request);
    check(dlb_request_gates(request, gates));
    for (const auto& [module, gate] : gate_of) add_gate(request, module, gate);
    if (scaler) check(dlb_request_scaler(request, *scaler));
    check(dlb_request_multiplier(request, multiplier));
    check(dlb_request_from_logits(request, from_logits));
    check(dlb_request_all_values(request, all_values));
    check(dlb_request_modules(request, modules));
    for (const auto& name : numeric_inputs) check(dlb_request_numeric_input(request, name.c_str()));
    check(dlb_request_allow_unruled(request, allow_unruled));
  }

 private:
  void add_seed(dlb_request* request) const {
    std::size_t size = 1;
    for (std::size_t extent : seed->shape) size *= extent;
    if (size != seed->positive.size() || (!seed->negative.empty() && size != seed->negative.size())) {
      throw Error(Code::usage, "a seed has more or fewer elements than its shape says");
    }
    check(dlb_request_seed(request, seed->module ? seed->module->c_str() : nullptr, seed->positive.data(),
                           seed->negative.empty() ? nullptr : seed->negative.data(), seed->shape.data(), seed->shape.size()));
  }

  static void add_gate(dlb_request* request, const std::string& module, const std::optional<Gate>& gate) {
    constexpr double none = std::numeric_limits<double>::quiet_NaN();
    if (!gate) return check(dlb_request_gate_of(request, module.c_str(), nullptr));
    const dlb_gate bounds{gate->lower.value_or(none), gate->upper.value_or(none), gate->swish.value_or(none)};
    check(dlb_request_gate_of(request, module.c_str(), &bounds));
  }
};

// ---- explanations ----------------------------------------------------------------------------------------------------

/// Elements in row-major order that belong to an explanation; valid as long as one of its objects is.
template <class T>
struct View {
  const T* data;
  std::size_t size;
  std::vector<std::size_t> shape;

  const T* begin() const { return data; }
  const T* end() const { return data + size; }
  const T& operator[](std::size_t index) const { return data[index]; }
  bool empty() const { return size == 0; }
};

enum class Channel { positive = DLB_POSITIVE, negative = DLB_NEGATIVE };

using Amount = dlb_amount;
/// By dlb_loss.
using Losses = std::array<Amount, DLB_LOSSES>;

namespace detail {

using Handle = std::shared_ptr<const dlb_explanation>;

inline View<float> view(const dlb_float_array& array) {
  return {array.data, array.size, std::vector<std::size_t>(array.shape, array.shape + array.rank)};
}

inline Losses losses(const dlb_amount (&lost)[DLB_LOSSES]) {
  Losses losses;
  for (std::size_t i = 0; i < DLB_LOSSES; ++i) losses[i] = lost[i];
  return losses;
}

/// The object that C hands out, to be freed with `free`.
template <class T, class Make>
std::shared_ptr<T> own(void (*free)(T*), Make&& make) {
  T* made = nullptr;
  check(make(&made));
  return std::shared_ptr<T>(made, free);
}

}  // namespace detail

/// The relevance of one input.
class InputRelevance {
 public:
  InputRelevance(detail::Handle explanation, std::size_t index) : explanation_(std::move(explanation)), index_(index) {
    dlb_input input;
    check(dlb_explanation_input(explanation_.get(), index_, &input));
    name_ = input.name;
    total_ = input.total;
  }

  /// With the way into lists, tuples and dictionaries: "x", "feats[0]", "batch.ids".
  const std::string& name() const { return name_; }
  Amount total() const { return total_; }

  /// Of the input's shape; one number a token for integers. In default mode the negative channel is empty.
  View<float> relevance(Channel channel = Channel::positive) const {
    dlb_float_array array;
    check(dlb_explanation_input_relevance(explanation_.get(), index_, static_cast<int>(channel), &array));
    return detail::view(array);
  }

  /// The at::Tensor behind it (torch.hpp has it as such); null for another framework or an absent channel.
  const void* torch_tensor(Channel channel = Channel::positive) const {
    const void* tensor = nullptr;
    check(dlb_explanation_input_torch(explanation_.get(), index_, static_cast<int>(channel), &tensor));
    return tensor;
  }

 private:
  detail::Handle explanation_;
  std::size_t index_;
  std::string name_;
  Amount total_{};
};

/// The relevance of one recorded value.
class ValueRelevance {
 public:
  ValueRelevance(detail::Handle explanation, std::size_t index) : explanation_(std::move(explanation)), index_(index) {
    dlb_value value;
    check(dlb_explanation_value(explanation_.get(), index_, &value));
    name_ = value.name;
    module_ = value.module;
    operator_name_ = value.operator_name;
    step_ = value.step;
  }

  const std::string& name() const { return name_; }
  /// Dotted path of the module that computed it.
  const std::string& module() const { return module_; }
  const std::string& operator_name() const { return operator_name_; }
  std::size_t step() const { return step_; }

  View<float> relevance(Channel channel = Channel::positive) const {
    dlb_float_array array;
    check(dlb_explanation_value_relevance(explanation_.get(), index_, static_cast<int>(channel), &array));
    return detail::view(array);
  }

 private:
  detail::Handle explanation_;
  std::size_t index_;
  std::string name_, module_, operator_name_;
  std::size_t step_ = 0;
};

/// What one step received, handed on and lost.
struct Entry {
  std::string operator_name, module, source;
  std::size_t step;
  Amount received, delivered;
  Losses lost;
  bool closes;  ///< whether received = delivered + lost
};

/// The explained output.
struct Prediction {
  std::string name;
  View<double> values;
  std::vector<std::size_t> targets;  ///< the explained unit of each sample; none when there is no single one
};

struct Summary {
  std::string framework;  ///< such as "libtorch 2.13.0"
  Amount seed;            ///< the total that the walk started with
  Losses lost;
  bool closes;
  double coverage;
  double load_seconds, forward_seconds, relevance_seconds;
};

/// Why a model decided as it did.
class Explanation {
 public:
  explicit Explanation(detail::Handle handle) : handle_(std::move(handle)) {}

  /// The explained inputs in the model's order.
  std::vector<InputRelevance> inputs() const { return all<InputRelevance>(counts().input_count); }
  /// Every recorded value, the last step's first, if Options::all_values was set.
  std::vector<ValueRelevance> values() const { return all<ValueRelevance>(counts().value_count); }
  /// The values of a module, by its dotted path.
  std::vector<ValueRelevance> values(const std::string& module) const {
    std::vector<ValueRelevance> found;
    for (auto& value : values()) {
      if (value.module() == module) found.push_back(std::move(value));
    }
    return found;
  }

  Prediction prediction() const {
    dlb_output output;
    check(dlb_explanation_output(handle_.get(), &output));
    return {output.name,
            {output.data, output.size, std::vector<std::size_t>(output.shape, output.shape + output.rank)},
            std::vector<std::size_t>(output.targets, output.targets + output.target_count)};
  }

  /// The account of every step, the last first.
  std::vector<Entry> ledger() const {
    std::vector<Entry> entries;
    for (std::size_t i = 0, count = counts().entry_count; i < count; ++i) {
      dlb_entry entry;
      check(dlb_explanation_entry(handle_.get(), i, &entry));
      entries.push_back({entry.operator_name, entry.module, entry.source ? entry.source : "", entry.step, entry.received,
                         entry.delivered, detail::losses(entry.lost), entry.closes != 0});
    }
    return entries;
  }

  Summary summary() const {
    const dlb_summary found = counts();
    return {found.framework, found.seed,         detail::losses(found.lost), found.closes != 0,
            found.coverage,  found.load_seconds, found.forward_seconds,      found.relevance_seconds};
  }

  std::vector<std::string> warnings() const {
    std::vector<std::string> warnings;
    for (std::size_t i = 0, count = counts().warning_count; i < count; ++i) {
      const char* text = nullptr;
      check(dlb_explanation_warning(handle_.get(), i, &text));
      warnings.emplace_back(text);
    }
    return warnings;
  }

  /// All but the arrays.
  std::string json() const {
    const char* text = nullptr;
    check(dlb_explanation_json(handle_.get(), &text));
    return text;
  }

 private:
  dlb_summary counts() const {
    dlb_summary summary;
    check(dlb_explanation_summary(handle_.get(), &summary));
    return summary;
  }

  template <class T>
  std::vector<T> all(std::size_t count) const {
    std::vector<T> found;
    found.reserve(count);
    for (std::size_t i = 0; i < count; ++i) found.emplace_back(handle_, i);
    return found;
  }

  detail::Handle handle_;
};

// ---- models ----------------------------------------------------------------------------------------------------------

/// How to load; what is empty is as it is by default.
struct LoadOptions {
  std::string signature;               ///< of a SavedModel
  std::vector<std::string> tags;       ///< of a SavedModel's graph
  std::string tensorflow;              ///< the library of TensorFlow or its directory
  std::size_t threads = 0;             ///< of a SavedModel's operators
  std::vector<std::string> libraries;  ///< that register operators with libtorch
};

/// A model, loaded in its framework.
class Model {
 public:
  /// Loads a TorchScript archive (a file) or a SavedModel (a directory).
  explicit Model(const std::string& path, const LoadOptions& options = {}) {
    const auto pointers = [](const std::vector<std::string>& texts) {
      std::vector<const char*> pointers;
      for (const auto& text : texts) pointers.push_back(text.c_str());
      return pointers;
    };
    const auto given = [](const std::string& text) { return text.empty() ? nullptr : text.c_str(); };
    const auto tags = pointers(options.tags), libraries = pointers(options.libraries);
    const dlb_load_options plain{given(options.signature), tags.data(), tags.size(), given(options.tensorflow),
                                 options.threads, libraries.data(), libraries.size()};
    *this = Model(detail::own(dlb_model_free, [&](dlb_model** model) {
      return checked_interface(), dlb_model_load(path.c_str(), &plain, model);
    }));
  }

  explicit Model(std::shared_ptr<dlb_model> handle) : handle_(std::move(handle)) {}

  /// Runs the model once and traces its output back to its inputs.
  Explanation explain(const Inputs& inputs, const Options& options = {}) const {
    const auto request = detail::own(dlb_request_free, [&](dlb_request** request) { return dlb_request_new(handle_.get(), request); });
    inputs.add(request.get());
    options.add(request.get());
    Progress progress{options.progress, nullptr};
    if (options.progress) check(dlb_request_progress(request.get(), Progress::tell, &progress));
    auto explanation = detail::own(dlb_explanation_free, [&](dlb_explanation** explanation) {
      return dlb_request_explain(request.get(), explanation);
    });
    if (progress.thrown) std::rethrow_exception(progress.thrown);
    return Explanation(std::move(explanation));
  }

  /// What is known without running it, as JSON.
  std::string inspect() const {
    const char* text = nullptr;
    check(dlb_model_inspect(handle_.get(), &text));
    return text;
  }

  /// Throws when the library is of another interface than this header.
  static void checked_interface() {
    if (dlb_abi_version() == DLB_ABI_VERSION) return;
    throw Error(Code::library, "the program was compiled for interface " + std::to_string(DLB_ABI_VERSION) +
                                   " of dlbacktrace, and the library has " + std::to_string(dlb_abi_version()));
  }

 private:
  /// Keeps exceptions of the callback from leaving it.
  struct Progress {
    const std::function<void(std::size_t, std::size_t)>& function;
    std::exception_ptr thrown;

    static void tell(void* user, std::size_t done, std::size_t total) noexcept {
      auto& self = *static_cast<Progress*>(user);
      if (self.thrown) return;
      try {
        self.function(done, total);
      } catch (...) {
        self.thrown = std::current_exception();
      }
    }
  };

  std::shared_ptr<dlb_model> handle_;
};

}  // namespace dlbacktrace
