// The result of an explanation.
#pragma once

#include <dlbacktrace/error.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace dlbacktrace {

namespace detail {

using Handle = std::shared_ptr<const dlb_explanation>;

}  // namespace detail

/// Elements in row-major order. They belong to the explanation, which the view keeps alive.
template <class T>
class View {
 public:
  View(detail::Handle owner, const T* data, std::size_t size, const std::size_t* shape, std::size_t rank)
      : owner_(std::move(owner)), data_(data), size_(size), shape_(shape, shape + rank) {}

  const T* data() const { return data_; }
  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  const std::vector<std::size_t>& shape() const { return shape_; }

  const T* begin() const { return data_; }
  const T* end() const { return data_ + size_; }
  const T& operator[](std::size_t index) const { return data_[index]; }

 private:
  detail::Handle owner_;
  const T* data_;
  std::size_t size_;
  std::vector<std::size_t> shape_;
};

enum class Channel { positive = DLB_POSITIVE, negative = DLB_NEGATIVE };

/// Relevance of both channels, `positive` and `negative`; the second is 0 in default mode.
using Amount = dlb_amount;

/// The reasons of losses.
enum class Loss {
  bias = DLB_LOSS_BIAS,
  constant = DLB_LOSS_CONSTANT,
  gate = DLB_LOSS_GATE,
  zero_denominator = DLB_LOSS_ZERO_DENOMINATOR,
  missing_sign = DLB_LOSS_MISSING_SIGN,
  padding = DLB_LOSS_PADDING,
  unexplained = DLB_LOSS_UNEXPLAINED,
  unruled = DLB_LOSS_UNRULED,
  decision = DLB_LOSS_DECISION,
};

/// The loss for each reason.
class Losses {
 public:
  explicit Losses(const dlb_amount (&lost)[DLB_LOSSES]) { std::copy(std::begin(lost), std::end(lost), amounts_.begin()); }

  const Amount& operator[](Loss reason) const { return amounts_[static_cast<std::size_t>(reason)]; }
  auto begin() const { return amounts_.begin(); }
  auto end() const { return amounts_.end(); }

 private:
  std::array<Amount, DLB_LOSSES> amounts_;
};

/// The relevance of one input.
class InputRelevance {
 public:
  InputRelevance(detail::Handle explanation, std::size_t index) : explanation_(std::move(explanation)), index_(index) {
    dlb_input input;
    detail::check(dlb_explanation_input(explanation_.get(), index_, &input));
    name_ = input.name;
    total_ = input.total;
  }

  /// The name, with the path into lists, tuples and dictionaries: "x", "feats[0]", "batch.ids".
  const std::string& name() const { return name_; }
  Amount total() const { return total_; }

  /// The relevance, in the input's shape; for integers, one number for each token. The negative channel is empty in default
  /// mode.
  View<float> relevance(Channel channel = Channel::positive) const {
    dlb_float_array array;
    detail::check(dlb_explanation_input_relevance(explanation_.get(), index_, static_cast<int>(channel), &array));
    return {explanation_, array.data, array.size, array.shape, array.rank};
  }

  /// The same in double precision, for models that compute in it.
  View<double> relevance_f64(Channel channel = Channel::positive) const {
    dlb_double_array array;
    detail::check(dlb_explanation_input_relevance_f64(explanation_.get(), index_, static_cast<int>(channel), &array));
    return {explanation_, array.data, array.size, array.shape, array.rank};
  }

  /// The at::Tensor behind it (torch.hpp returns it as one); null for another framework or an absent channel.
  const void* torch_tensor(Channel channel = Channel::positive) const {
    const void* tensor = nullptr;
    detail::check(dlb_explanation_input_torch(explanation_.get(), index_, static_cast<int>(channel), &tensor));
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
    detail::check(dlb_explanation_value(explanation_.get(), index_, &value));
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
    detail::check(dlb_explanation_value_relevance(explanation_.get(), index_, static_cast<int>(channel), &array));
    return {explanation_, array.data, array.size, array.shape, array.rank};
  }

  View<double> relevance_f64(Channel channel = Channel::positive) const {
    dlb_double_array array;
    detail::check(dlb_explanation_value_relevance_f64(explanation_.get(), index_, static_cast<int>(channel), &array));
    return {explanation_, array.data, array.size, array.shape, array.rank};
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
  std::vector<std::size_t> targets;        ///< the explained unit of each sample; none if the start is not a single unit
  std::optional<std::size_t> sample_axis;  ///< the axis that counts samples; empty if the whole output is one sample
};

struct Summary {
  std::string framework;  ///< such as "libtorch 2.13.0"
  Amount start;           ///< the total that the walk started with
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
  /// Every recorded value, that of the last step first, if Options::all_values was set.
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
    detail::check(dlb_explanation_output(handle_.get(), &output));
    return {output.name,
            {handle_, output.data, output.size, output.shape, output.rank},
            std::vector<std::size_t>(output.targets, output.targets + output.target_count),
            output.sample_axis < 0 ? std::nullopt : std::optional<std::size_t>(output.sample_axis)};
  }

  /// The account of every step, the last step first.
  std::vector<Entry> ledger() const {
    std::vector<Entry> entries;
    for (std::size_t i = 0, count = counts().entry_count; i < count; ++i) {
      dlb_entry entry;
      detail::check(dlb_explanation_entry(handle_.get(), i, &entry));
      entries.push_back({entry.operator_name, entry.module, entry.source ? entry.source : "", entry.step, entry.received,
                         entry.delivered, Losses(entry.lost), entry.closes != 0});
    }
    return entries;
  }

  Summary summary() const {
    const dlb_summary found = counts();
    return {found.framework, found.start,        Losses(found.lost),    found.closes != 0,
            found.coverage,  found.load_seconds, found.forward_seconds, found.relevance_seconds};
  }

  std::vector<std::string> warnings() const { return sentences(counts().warning_count, dlb_explanation_warning); }
  /// What was assumed because the model does not say it, one sentence each.
  std::vector<std::string> assumed() const { return sentences(counts().assumed_count, dlb_explanation_assumed); }

  /// Everything except the arrays, as JSON.
  std::string json() const {
    const char* text = nullptr;
    detail::check(dlb_explanation_json(handle_.get(), &text));
    return text;
  }

 private:
  dlb_summary counts() const {
    dlb_summary summary;
    detail::check(dlb_explanation_summary(handle_.get(), &summary));
    return summary;
  }

  std::vector<std::string> sentences(std::size_t count,
                                     int (*tell)(const dlb_explanation*, std::size_t, const char**)) const {
    std::vector<std::string> found;
    for (std::size_t i = 0; i < count; ++i) {
      const char* text = nullptr;
      detail::check(tell(handle_.get(), i, &text));
      found.emplace_back(text);
    }
    return found;
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

}  // namespace dlbacktrace
