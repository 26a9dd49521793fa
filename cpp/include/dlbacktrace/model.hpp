// Models, and their explanations.
#pragma once

#include <dlbacktrace/error.hpp>
#include <dlbacktrace/explanation.hpp>
#include <dlbacktrace/inputs.hpp>
#include <dlbacktrace/options.hpp>

#include <cstddef>
#include <exception>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace dlbacktrace {

/// Options for loading; empty members take the defaults.
struct LoadOptions {
  std::string signature;               ///< of a SavedModel
  std::vector<std::string> tags;       ///< of a SavedModel's graph
  std::string tensorflow;              ///< the library of TensorFlow or its directory
  std::size_t threads = 0;             ///< for a SavedModel's operators
  std::vector<std::string> libraries;  ///< libraries that register operators with libtorch
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
  explicit Model(const std::string& path, const LoadOptions& options = {}) {
    detail::check_interface();
    const auto pointers = [](const std::vector<std::string>& texts) {
      std::vector<const char*> found;
      for (const auto& text : texts) found.push_back(text.c_str());
      return found;
    };
    const auto given = [](const std::string& text) { return text.empty() ? nullptr : text.c_str(); };
    const auto tags = pointers(options.tags), libraries = pointers(options.libraries);
    const dlb_load_options plain{given(options.signature), tags.data(),      tags.size(),     given(options.tensorflow),
                                 options.threads,          libraries.data(), libraries.size()};
    handle_ = detail::own(dlb_model_free, [&](dlb_model** made) { return dlb_model_load(path.c_str(), &plain, made); });
  }

  /// Made from the handle of C; for other headers.
  explicit Model(std::shared_ptr<dlb_model> handle) : handle_(std::move(handle)) {}

  /// Runs the model once and traces its output back to its inputs.
  Explanation explain(const Inputs& inputs, const Options& options = {}) const {
    const auto request = requested(inputs);
    options.add(request.get());
    Progress progress{options.progress, nullptr};
    if (options.progress) detail::check(dlb_request_progress(request.get(), Progress::tell, &progress));
    detail::Handle explanation =
        detail::own(dlb_explanation_free, [&](dlb_explanation** made) { return dlb_request_explain(request.get(), made); });
    if (progress.thrown) std::rethrow_exception(progress.thrown);
    return Explanation(std::move(explanation));
  }

  /// Runs the model without explaining it, and returns how it scales each input of numbers: this shows, for example, whether
  /// it takes pixels of 0 to 255 or of 0 to 1.
  std::vector<Scaling> scalings(const Inputs& inputs) const {
    const auto request = requested(inputs);
    dlb_scalings found{};
    detail::check(dlb_request_scalings(request.get(), &found));
    std::vector<Scaling> scalings;
    for (const dlb_scaling* one = found.data; one != found.data + found.size; ++one)
      scalings.push_back({one->name, one->factor, one->shift, static_cast<Scaling::Pixels>(one->pixels)});
    return scalings;
  }

  /// What is known of the model without running it, as JSON.
  std::string inspect() const {
    const char* text = nullptr;
    detail::check(dlb_model_inspect(handle_.get(), &text));
    return text;
  }

 private:
  /// A request with these inputs.
  std::shared_ptr<dlb_request> requested(const Inputs& inputs) const {
    auto request = detail::own(dlb_request_free, [&](dlb_request** made) { return dlb_request_new(handle_.get(), made); });
    inputs.add(request.get());
    return request;
  }

  /// Stops exceptions of the callback from crossing into C.
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
