// Models, and their explanations. Threads may use a Model at the same time.
#pragma once

#include <dlbacktrace/error.hpp>
#include <dlbacktrace/explanation.hpp>
#include <dlbacktrace/inputs.hpp>
#include <dlbacktrace/options.hpp>

#include <cstddef>
#include <exception>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace dlbacktrace {

/// Options for loading; empty members take the defaults.
struct LoadOptions {
  std::string signature;                         ///< of a SavedModel
  std::vector<std::string> tags;                 ///< of a SavedModel's graph
  std::filesystem::path tensorflow;              ///< the library of TensorFlow or its directory
  std::size_t threads = 0;                       ///< for a SavedModel's operators
  std::vector<std::filesystem::path> libraries;  ///< libraries that register operators with libtorch
};

/// An input that a model takes.
struct Argument {
  std::string name;
  std::string kind;  ///< as the framework writes it: "Tensor", "List[Tensor]", "Tensor float32 [?, 224, 224, 3]"
  bool optional;     ///< whether it may be left out
};

/// The first arithmetic of a model on an input x: factor · x + shift; of several factors or shifts, the largest magnitudes.
struct Scaling {
  /// The range of pixels that the scaling shows.
  enum class Pixels { unknown = DLB_PIXELS_UNKNOWN, unit = DLB_PIXELS_UNIT, bytes = DLB_PIXELS_BYTES };

  std::string name;  ///< of the input
  double factor;
  double shift;
  Pixels pixels;
};

/// A model, loaded in its framework.
class Model {
 public:
  /// Loads a TorchScript archive (a file) or a SavedModel (a directory).
  explicit Model(const std::filesystem::path& path, const LoadOptions& options = {}) {
    detail::check_interface();
    const auto pointers = [](const auto& texts, const char* what) {
      std::vector<const char*> found;
      for (const auto& text : texts) found.push_back(detail::plain(text, what));
      return found;
    };
    const auto given = [](const auto& text, const char* what) { return text.empty() ? nullptr : detail::plain(text, what); };
    const auto tags = pointers(options.tags, "a tag"), libraries = pointers(options.libraries, "the path of a library");
    auto plain = detail::sized<dlb_load_options>();
    plain.signature = given(options.signature, "the signature");
    plain.tags = tags.data();
    plain.tag_count = tags.size();
    plain.tensorflow = given(options.tensorflow, "the path of TensorFlow");
    plain.threads = options.threads;
    plain.libraries = libraries.data();
    plain.library_count = libraries.size();
    const char* file = detail::plain(path, "the path of the model");
    handle_ = detail::own(dlb_model_free, [&](dlb_model** made) { return dlb_model_load(file, &plain, made); });
  }
  explicit Model(const char* path, const LoadOptions& options = {})
      : Model(std::filesystem::path(detail::Text(path).c_str()), options) {}

  /// Made from the handle of C; for other headers.
  explicit Model(std::shared_ptr<dlb_model> handle) : handle_(std::move(handle)) {}

  /// Runs the model once and traces its output back to its inputs.
  [[nodiscard]] Explanation explain(const Inputs& inputs, const Options& options = {}) const {
    return Explanation(run(inputs, options, dlb_explanation_free, dlb_request_explain));
  }

  /// Runs the model without explaining it; returns the tensors of its result, flattened.
  [[nodiscard]] std::vector<Output> forward(const Inputs& inputs) const {
    const std::shared_ptr<const dlb_outputs> outputs = run(inputs, {}, dlb_outputs_free, dlb_request_forward);
    std::size_t count = 0;
    detail::check(dlb_outputs_count(outputs.get(), &count));
    std::vector<Output> found;
    for (std::size_t i = 0; i < count; ++i) found.emplace_back(outputs, i);
    return found;
  }

  /// Runs the model without explaining it, and returns how it scales each input of numbers: this shows, for example, whether
  /// it takes pixels of 0 to 255 or of 0 to 1.
  [[nodiscard]] std::vector<Scaling> scalings(const Inputs& inputs) const {
    const auto scalings = run(inputs, {}, dlb_scalings_free, dlb_request_scalings);
    std::size_t count = 0;
    detail::check(dlb_scalings_count(scalings.get(), &count));
    std::vector<Scaling> found;
    for (std::size_t i = 0; i < count; ++i) {
      auto one = detail::sized<dlb_scaling>();
      detail::check(dlb_scalings_get(scalings.get(), i, &one));
      found.push_back({one.name, one.factor, one.shift, static_cast<Scaling::Pixels>(one.pixels)});
    }
    return found;
  }

  /// Explains and checks: whether the recording replays, every step accounts for what it received, and a second run gives the
  /// same.
  [[nodiscard]] Verification verify(const Inputs& inputs, const Options& options = {}) const {
    const auto verification = run(inputs, options, dlb_verification_free, dlb_request_verify);
    auto checks = detail::sized<dlb_checks>();
    const char* json = nullptr;
    detail::check(dlb_verification_checks(verification.get(), &checks));
    detail::check(dlb_verification_json(verification.get(), &json));
    return {checks.holds != 0, checks.closes != 0, checks.repeats != 0, checks.replayed,
            checks.failed,     checks.skipped,     checks.coverage,     json};
  }

  /// The inputs that the model takes.
  [[nodiscard]] std::vector<Argument> arguments() const {
    std::vector<Argument> found;
    for (std::size_t i = 0, count = info().argument_count; i < count; ++i) {
      auto argument = detail::sized<dlb_argument>();
      detail::check(dlb_model_argument(handle_.get(), i, &argument));
      found.push_back({argument.name, argument.kind, argument.optional != 0});
    }
    return found;
  }
  /// Whether `arguments` are in the model's own order; otherwise inputs by position may be refused.
  [[nodiscard]] bool ordered() const { return info().ordered != 0; }
  /// The framework and its version, such as "libtorch 2.13.0".
  [[nodiscard]] std::string framework() const { return info().framework; }

  /// What is known of the model without running it, as JSON.
  [[nodiscard]] std::string inspect() const {
    const char* text = nullptr;
    detail::check(dlb_model_inspect(handle_.get(), &text));
    return text;
  }

 private:
  dlb_model_info info() const {
    auto found = detail::sized<dlb_model_info>();
    detail::check(dlb_model_describe(handle_.get(), &found));
    return found;
  }

  /// What `run` makes of a request with these inputs and options; `free` frees it.
  template <class T>
  std::shared_ptr<T> run(const Inputs& inputs, const Options& options, void (*free)(T*),
                         dlb_status (*run)(const dlb_request*, T**)) const {
    const auto request =
        detail::own(dlb_request_free, [&](dlb_request** made) { return dlb_request_new(handle_.get(), made); });
    inputs.add(request.get());
    options.add(request.get());
    Watch watch{options.progress, nullptr};
    if (options.progress) detail::check(dlb_request_progress(request.get(), Watch::tell, &watch));
    T* made = nullptr;
    const dlb_status status = run(request.get(), &made);
    if (watch.thrown) std::rethrow_exception(watch.thrown);
    detail::check(status);
    return std::shared_ptr<T>(made, free);
  }

  /// Keeps exceptions of the callback from crossing into C; the first one stops the explanation.
  struct Watch {
    const std::function<bool(const Progress&)>& function;
    std::exception_ptr thrown;

    static int tell(void* user, int phase, std::size_t done, std::size_t total) noexcept {
      auto& self = *static_cast<Watch*>(user);
      try {
        return self.function({static_cast<Progress::Phase>(phase), done, total}) ? 0 : 1;
      } catch (...) {
        self.thrown = std::current_exception();
        return 1;
      }
    }
  };

  std::shared_ptr<dlb_model> handle_;
};

}  // namespace dlbacktrace
