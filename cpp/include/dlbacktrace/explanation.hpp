// The results of runs. Threads may read a result at the same time, and copies of it share what they refer to.
#pragma once

#include <dlbacktrace/error.hpp>
#include <dlbacktrace/inputs.hpp>

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace dlbacktrace {

namespace detail {

using Handle = std::shared_ptr<const dlb_explanation>;

}  // namespace detail

/// Elements in row-major order. They belong to a result, which the view keeps alive.
template <class T>
class View {
 public:
  View(std::shared_ptr<const void> owner, const dlb_array& array)
      : owner_(std::move(owner)),
        data_(static_cast<const T*>(array.data)),
        size_(array.size),
        shape_(array.shape, array.shape + array.rank) {}

  [[nodiscard]] const T* data() const { return data_; }
  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] bool empty() const { return size_ == 0; }
  [[nodiscard]] const std::vector<std::size_t>& shape() const { return shape_; }

  const T* begin() const { return data_; }
  const T* end() const { return data_ + size_; }
  const T& operator[](std::size_t index) const { return data_[index]; }

 private:
  std::shared_ptr<const void> owner_;
  const T* data_;
  std::size_t size_;
  std::vector<std::size_t> shape_;
};

namespace detail {

/// The array that C gives in this element type.
template <class T, class Owner, class Ask>
View<T> view(const Owner& owner, Ask&& ask) {
  auto array = sized<dlb_array>();
  check(ask(element_type<T>(), &array));
  return {owner, array};
}

}  // namespace detail

enum class Channel {
  positive = DLB_CHANNEL_POSITIVE,
  negative = DLB_CHANNEL_NEGATIVE,
  difference = DLB_CHANNEL_DIFFERENCE,  ///< positive minus negative; in default mode, the positive one
};

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
  stabiliser = DLB_LOSS_STABILISER,
  cancelled = DLB_LOSS_CANCELLED,
  remainder = DLB_LOSS_REMAINDER,
  closed = DLB_LOSS_CLOSED,
};

/// The loss for each reason.
class Losses {
 public:
  Losses(const dlb_amount* lost, std::size_t count) : amounts_(lost, lost + count) {}

  /// Nothing is lost for a reason that the library does not know.
  Amount operator[](Loss reason) const {
    const auto place = static_cast<std::size_t>(reason);
    return place < amounts_.size() ? amounts_[place] : Amount{};
  }
  auto begin() const { return amounts_.begin(); }
  auto end() const { return amounts_.end(); }

 private:
  std::vector<Amount> amounts_;
};

/// The relevance of one input.
class InputRelevance {
 public:
  InputRelevance(detail::Handle explanation, std::size_t index) : explanation_(std::move(explanation)), index_(index) {
    auto input = detail::sized<dlb_input>();
    detail::check(dlb_explanation_input(explanation_.get(), index_, &input));
    name_ = input.name;
    total_ = input.total;
  }

  /// The name, with the path into lists, tuples and dictionaries: "x", "feats[0]", "batch.ids".
  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] Amount total() const { return total_; }

  /// The relevance, in the input's shape; for integers, one number for each token. The negative channel is empty in default
  /// mode.
  [[nodiscard]] View<float> relevance(Channel channel = Channel::positive) const { return view<float>(channel); }
  /// The same in double precision, for models that compute in it.
  [[nodiscard]] View<double> relevance_f64(Channel channel = Channel::positive) const { return view<double>(channel); }

  /// The at::Tensor behind it (torch.hpp returns it as one); null for another framework or an absent channel.
  [[nodiscard]] const void* torch_tensor(Channel channel = Channel::positive) const {
    const void* tensor = nullptr;
    detail::check(dlb_explanation_input_torch(explanation_.get(), index_, static_cast<int>(channel), &tensor));
    return tensor;
  }

 private:
  template <class T>
  View<T> view(Channel channel) const {
    return detail::view<T>(explanation_, [&](int type, dlb_array* array) {
      return dlb_explanation_input_relevance(explanation_.get(), index_, static_cast<int>(channel), type, array);
    });
  }

  detail::Handle explanation_;
  std::size_t index_;
  std::string name_;
  Amount total_{};
};

/// The relevance of one recorded value.
class ValueRelevance {
 public:
  ValueRelevance(detail::Handle explanation, std::size_t index) : explanation_(std::move(explanation)), index_(index) {
    auto value = detail::sized<dlb_value>();
    detail::check(dlb_explanation_value(explanation_.get(), index_, &value));
    name_ = value.name;
    module_ = value.module;
    operator_name_ = value.operator_name;
    step_ = value.step;
  }

  [[nodiscard]] const std::string& name() const { return name_; }
  /// Dotted path of the module that computed it.
  [[nodiscard]] const std::string& module() const { return module_; }
  [[nodiscard]] const std::string& operator_name() const { return operator_name_; }
  [[nodiscard]] std::size_t step() const { return step_; }

  [[nodiscard]] View<float> relevance(Channel channel = Channel::positive) const { return view<float>(channel); }
  [[nodiscard]] View<double> relevance_f64(Channel channel = Channel::positive) const { return view<double>(channel); }

  /// As of an input.
  [[nodiscard]] const void* torch_tensor(Channel channel = Channel::positive) const {
    const void* tensor = nullptr;
    detail::check(dlb_explanation_value_torch(explanation_.get(), index_, static_cast<int>(channel), &tensor));
    return tensor;
  }

 private:
  template <class T>
  View<T> view(Channel channel) const {
    return detail::view<T>(explanation_, [&](int type, dlb_array* array) {
      return dlb_explanation_value_relevance(explanation_.get(), index_, static_cast<int>(channel), type, array);
    });
  }

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

/// One tensor of a model's result.
class Output {
 public:
  Output(std::shared_ptr<const dlb_outputs> outputs, std::size_t index) : outputs_(std::move(outputs)), index_(index) {
    const char* name = nullptr;
    detail::check(dlb_outputs_name(outputs_.get(), index_, &name));
    name_ = name;
  }

  /// "output", "output.logits", "output[1]".
  [[nodiscard]] const std::string& name() const { return name_; }

  [[nodiscard]] View<float> values() const { return view<float>(); }
  [[nodiscard]] View<double> values_f64() const { return view<double>(); }

  /// The at::Tensor behind it (torch.hpp returns it as one); null for another framework.
  [[nodiscard]] const void* torch_tensor() const {
    const void* tensor = nullptr;
    detail::check(dlb_outputs_torch(outputs_.get(), index_, &tensor));
    return tensor;
  }

 private:
  template <class T>
  View<T> view() const {
    return detail::view<T>(
        outputs_, [&](int type, dlb_array* array) { return dlb_outputs_array(outputs_.get(), index_, type, array); });
  }

  std::shared_ptr<const dlb_outputs> outputs_;
  std::size_t index_;
  std::string name_;
};

/// The explained output.
struct Prediction {
  std::string name;
  View<double> values;
  std::vector<std::size_t> targets;        ///< the explained unit of each sample; none if the start is not a single unit
  std::optional<std::size_t> sample_axis;  ///< the axis that counts samples; empty if the whole output is one sample
  const void* torch_tensor;                ///< the at::Tensor behind it, as of an Output; lives as long as `values`
};

/// The checks of an explanation.
struct Verification {
  bool holds;                             ///< whether all checks passed
  bool closes;                            ///< whether every step accounts for what it received
  bool repeats;                           ///< whether a second run gave the same, bit by bit
  std::size_t replayed, failed, skipped;  ///< operators that were run again, gave something else, cannot be run again
  double coverage;
  std::string json;  ///< the same with the names of the operators
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
  [[nodiscard]] std::vector<InputRelevance> inputs() const { return all<InputRelevance>(counts().input_count); }
  /// Every recorded value, that of the last step first, if Options::all_values was set.
  [[nodiscard]] std::vector<ValueRelevance> values() const { return all<ValueRelevance>(counts().value_count); }
  /// The values of a module, by its dotted path.
  [[nodiscard]] std::vector<ValueRelevance> values(const std::string& module) const {
    std::vector<ValueRelevance> found;
    for (auto& value : values()) {
      if (value.module() == module) found.push_back(std::move(value));
    }
    return found;
  }

  [[nodiscard]] Prediction prediction() const {
    auto output = detail::sized<dlb_output>();
    const void* tensor = nullptr;
    detail::check(dlb_explanation_output(handle_.get(), &output));
    detail::check(dlb_explanation_output_torch(handle_.get(), &tensor));
    const auto ask = [&](int type, dlb_array* array) { return dlb_explanation_output_array(handle_.get(), type, array); };
    return {output.name, detail::view<double>(handle_, ask),
            std::vector<std::size_t>(output.targets, output.targets + output.target_count),
            output.sample_axis < 0 ? std::nullopt : std::optional<std::size_t>(output.sample_axis), tensor};
  }

  /// The account of every step, the last step first.
  [[nodiscard]] std::vector<Entry> ledger() const {
    std::vector<Entry> entries;
    for (std::size_t i = 0, count = counts().entry_count; i < count; ++i) {
      auto entry = detail::sized<dlb_entry>();
      detail::check(dlb_explanation_entry(handle_.get(), i, &entry));
      entries.push_back({entry.operator_name, entry.module, entry.source ? entry.source : "", entry.step, entry.received,
                         entry.delivered, Losses(entry.lost, entry.lost_count), entry.closes != 0});
    }
    return entries;
  }

  [[nodiscard]] Summary summary() const {
    const dlb_summary found = counts();
    return {found.framework,
            found.start,
            Losses(found.lost, found.lost_count),
            found.closes != 0,
            found.coverage,
            found.load_seconds,
            found.forward_seconds,
            found.relevance_seconds};
  }

  [[nodiscard]] std::vector<std::string> warnings() const {
    return sentences(counts().warning_count, dlb_explanation_warning);
  }
  /// What was assumed because the model does not say it, one sentence each.
  [[nodiscard]] std::vector<std::string> assumed() const {
    return sentences(counts().assumed_count, dlb_explanation_assumed);
  }

  /// Everything except the arrays, as JSON.
  [[nodiscard]] std::string json() const {
    const char* text = nullptr;
    detail::check(dlb_explanation_json(handle_.get(), &text));
    return text;
  }

 private:
  dlb_summary counts() const {
    auto summary = detail::sized<dlb_summary>();
    detail::check(dlb_explanation_summary(handle_.get(), &summary));
    return summary;
  }

  std::vector<std::string> sentences(std::size_t count,
                                     dlb_status (*tell)(const dlb_explanation*, std::size_t, const char**)) const {
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
