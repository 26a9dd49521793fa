// The options of an explanation. Threads may read Options at the same time, but only one may change it.
#pragma once

#include <dlbacktrace/error.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace dlbacktrace {

/// The gate of an activation; a bound that it lacks is empty.
struct Gate {
  std::optional<double> lower, upper, swish;
};

/// A start of your own: at the output, or at what a module returns.
struct Start {
  std::vector<double> positive;
  std::vector<std::size_t> shape;
  std::optional<std::string> module;
  std::vector<double> negative;  ///< for contrastive mode; may be empty
};

enum class Mode { standard = DLB_MODE_DEFAULT, contrastive = DLB_MODE_CONTRASTIVE };
enum class Task {
  classification = DLB_TASK_CLASSIFICATION,
  bounding_box = DLB_TASK_BOUNDING_BOX,
  segmentation = DLB_TASK_SEGMENTATION,
  next_token = DLB_TASK_NEXT_TOKEN,
};

/// The explained unit of each sample; the largest output by default.
struct Target {
  static constexpr std::int64_t every = DLB_EVERY;      ///< a coordinate: every index
  static constexpr std::int64_t largest = DLB_LARGEST;  ///< a coordinate: where the output is largest

  [[nodiscard]] static Target argmax() { return {DLB_TARGET_ARGMAX, 0, {}}; }
  [[nodiscard]] static Target unit(std::size_t unit) { return {DLB_TARGET_UNIT, unit, {}}; }
  [[nodiscard]] static Target all() { return {DLB_TARGET_ALL, 0, {}}; }
  /// The score of a detector's box: the box of this number, or the best box of this class.
  [[nodiscard]] static Target box(std::size_t number) { return {DLB_TARGET_BOX, number, {}}; }
  [[nodiscard]] static Target box_of(std::size_t label) { return {DLB_TARGET_BOX_OF, label, {}}; }
  /// The cells at these coordinates, one for each axis of the output; negative indices count from the end.
  [[nodiscard]] static Target at(std::vector<std::int64_t> coordinates) {
    return {DLB_TARGET_UNIT, 0, std::move(coordinates)};
  }

  int kind;
  std::size_t number;
  std::vector<std::int64_t> coordinates;
};

/// What the explained unit is told apart from: the walk starts at the difference, in Mode::standard.
struct Versus {
  [[nodiscard]] static Versus unit(std::size_t unit) { return {DLB_VERSUS_UNIT, unit}; }
  /// All other units, weighted by their softmax.
  [[nodiscard]] static Versus others() { return {DLB_VERSUS_OTHERS, 0}; }

  int kind;
  std::size_t number;
};

/// How far an explanation is: before each operator of the model's run, whose number is not known, and after each step of the walk.
struct Progress {
  enum class Phase { run = DLB_PHASE_RUN, walk = DLB_PHASE_WALK };

  Phase phase;
  std::size_t done;
  std::size_t total;  ///< 0 if it is not known
};

/// The options of an explanation; members that are not set take the defaults.
struct Options {
  Mode mode = Mode::standard;
  Task task = Task::classification;
  double threshold = 0.5;  ///< for segmentation
  Target target = Target::argmax();
  std::optional<Versus> versus;
  std::optional<std::size_t> output;       ///< over the flattened outputs; default: the first of floats
  std::optional<std::string> output_name;  ///< in place of `output`
  std::optional<int> sample_axis;          ///< -1: the output is one sample; default: a second run finds it
  std::optional<std::size_t> class_axis;   ///< of a segmentation's output; counts classes
  std::optional<Start> start;
  std::string rules = "backtrace";       ///< the name of a rule set, or a set in TOML
  std::optional<bool> fold_batch_norms;  ///< into the layers beside them; default: what the rule set says
  bool gates = true;
  std::map<std::string, std::optional<Gate>> gate_of;  ///< by module; empty for no gate
  std::optional<double> scaler;
  double multiplier = 1;
  bool from_logits = false;
  bool all_values = false;
  bool modules = false;  ///< the JSON reports the relevance that passed through each module
  std::vector<std::string> numeric_inputs;
  std::vector<std::string> constant_inputs;
  bool whole_tokens = false;  ///< tokens take the share of the constants added to their embeddings
  bool allow_unruled = false;
  std::optional<std::uint64_t> random_seed;  ///< the seed for a model that draws random numbers
  /// Is told the progress on the explaining thread, and says whether to go on: false stops the explanation, which then throws
  /// Error with Code::cancelled. An exception stops it too, and leaves explain().
  std::function<bool(const Progress&)> progress;

  void add(dlb_request* request) const {
    using detail::check;
    check(dlb_request_mode(request, static_cast<int>(mode)));
    check(dlb_request_task(request, static_cast<int>(task), threshold));
    check(target.coordinates.empty() ? dlb_request_target(request, target.kind, target.number)
                                     : dlb_request_target_at(request, target.coordinates.data(), target.coordinates.size()));
    if (versus) check(dlb_request_versus(request, versus->kind, versus->number));
    if (output_name) check(dlb_request_output_named(request, detail::plain(*output_name, "the name of the output")));
    else if (output) check(dlb_request_output(request, *output));
    if (sample_axis) check(dlb_request_sample_axis(request, *sample_axis));
    if (class_axis) check(dlb_request_class_axis(request, *class_axis));
    if (start) add_start(request);
    check(dlb_request_rules(request, detail::plain(rules, "the rules")));
    if (fold_batch_norms) check(dlb_request_fold_batch_norms(request, *fold_batch_norms));
    check(dlb_request_gates(request, gates));
    for (const auto& [module, gate] : gate_of) add_gate(request, module, gate);
    if (scaler) check(dlb_request_scaler(request, *scaler));
    check(dlb_request_multiplier(request, multiplier));
    check(dlb_request_from_logits(request, from_logits));
    check(dlb_request_all_values(request, all_values));
    check(dlb_request_modules(request, modules));
    for (const auto& name : numeric_inputs)
      check(dlb_request_numeric_input(request, detail::plain(name, "the name of an input")));
    for (const auto& name : constant_inputs)
      check(dlb_request_constant_input(request, detail::plain(name, "the name of an input")));
    check(dlb_request_whole_tokens(request, whole_tokens));
    check(dlb_request_allow_unruled(request, allow_unruled));
    if (random_seed) check(dlb_request_random_seed(request, *random_seed));
  }

 private:
  void add_start(dlb_request* request) const {
    const auto& [positive, shape, module, negative] = *start;
    detail::check_size(Code::usage, "a start", positive.size(), shape);
    if (!negative.empty()) detail::check_size(Code::usage, "a negative start", negative.size(), shape);
    detail::check(dlb_request_start(request, module ? detail::plain(*module, "the path of a module") : nullptr,
                                    positive.data(), negative.empty() ? nullptr : negative.data(), shape.data(),
                                    shape.size()));
  }

  static void add_gate(dlb_request* request, const std::string& module, const std::optional<Gate>& gate) {
    const char* path = detail::plain(module, "the path of a module");
    if (!gate) return detail::check(dlb_request_gate_of(request, path, nullptr));
    constexpr double none = std::numeric_limits<double>::quiet_NaN();
    auto bounds = detail::sized<dlb_gate>();
    bounds.lower = gate->lower.value_or(none);
    bounds.upper = gate->upper.value_or(none);
    bounds.swish = gate->swish.value_or(none);
    detail::check(dlb_request_gate_of(request, path, &bounds));
  }
};

}  // namespace dlbacktrace
