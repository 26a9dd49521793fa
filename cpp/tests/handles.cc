// The plain-C interface misused: each call answers with a status.

#include "check.hpp"

#include <cstdint>
#include <cstring>

int main() {
  CHECK(dlb_abi_version() == DLB_ABI_VERSION);
  CHECK(std::strlen(dlb_version()) > 0);
  CHECK(dlb_last_error() != nullptr);
  dlb_model_free(nullptr);
  dlb_request_free(nullptr);
  dlb_outputs_free(nullptr);
  dlb_scalings_free(nullptr);
  dlb_verification_free(nullptr);
  dlb_explanation_free(nullptr);

  dlb_request* none = nullptr;
  auto summary = dlbacktrace::detail::sized<dlb_summary>();
  const char* text = nullptr;
  CHECK(dlb_request_new(nullptr, &none) == DLB_STATUS_USAGE && none == nullptr);
  CHECK(dlb_request_close(nullptr) == DLB_STATUS_USAGE);
  summary.input_count = 7;
  CHECK(dlb_explanation_summary(nullptr, &summary) == DLB_STATUS_USAGE && summary.input_count == 0);
  CHECK(dlb_model_load(nullptr, nullptr, nullptr) == DLB_STATUS_USAGE);
  CHECK(std::string(dlb_last_error()).find("null") != std::string::npos);
  CHECK(dlb_model_load("\xff", nullptr, nullptr) == DLB_STATUS_USAGE);

  dlb_model* model = reinterpret_cast<dlb_model*>(&summary);
  CHECK(dlb_model_load("no such file", nullptr, &model) == DLB_STATUS_MODEL && model == nullptr);
  model = reinterpret_cast<dlb_model*>(&summary);
  CHECK(dlb_model_share_torch(nullptr, "1.0", &model) == DLB_STATUS_LIBRARY && model == nullptr);
  const std::string path = file("tests/fixtures/networks/mlp_traced.pt");
  CHECK(dlb_model_load(path.c_str(), nullptr, nullptr) == DLB_STATUS_USAGE);
  CHECK(dlb_model_load(path.c_str(), nullptr, &model) == DLB_STATUS_OK);
  auto options = dlbacktrace::detail::sized<dlb_load_options>();
  dlb_model* other = nullptr;
  options.tag_count = SIZE_MAX;
  CHECK(dlb_model_load(path.c_str(), &options, &other) == DLB_STATUS_USAGE);  // the tags are null
  const char* const tags[1] = {nullptr};
  options.tags = tags;
  CHECK(dlb_model_load(path.c_str(), &options, &other) == DLB_STATUS_USAGE);  // too many
  options.tag_count = 1;
  CHECK(dlb_model_load(path.c_str(), &options, &other) == DLB_STATUS_USAGE);  // the tag is null
  options.struct_size = 0;
  CHECK(dlb_model_load(path.c_str(), &options, &other) == DLB_STATUS_USAGE);
  CHECK(std::string(dlb_last_error()).find("struct_size") != std::string::npos);

  auto info = dlbacktrace::detail::sized<dlb_model_info>();
  auto argument = dlbacktrace::detail::sized<dlb_argument>();
  CHECK(dlb_model_describe(model, &info) == DLB_STATUS_OK && info.argument_count == 1 && info.precision == DLB_TYPE_F32);
  CHECK(dlb_model_argument(model, 1, &argument) == DLB_STATUS_USAGE && argument.name == nullptr);
  CHECK(dlb_model_argument(model, 0, &argument) == DLB_STATUS_OK && std::string(argument.name) == "x");
  CHECK(dlb_model_inspect(model, nullptr) == DLB_STATUS_USAGE);
  CHECK(dlb_model_inspect(model, &text) == DLB_STATUS_OK && text[0] == '{');

  dlb_request* request = nullptr;
  dlb_explanation* explanation = nullptr;
  const float data[8] = {};
  const std::size_t shape[2] = {2, 4};
  CHECK(dlb_request_new(model, &request) == DLB_STATUS_OK);
  dlb_model_free(model);  // the request keeps what it needs
  CHECK(dlb_request_array(request, nullptr, 99, data, shape, 2) == DLB_STATUS_USAGE);
  CHECK(dlb_request_array(request, nullptr, DLB_TYPE_F32, nullptr, shape, 2) == DLB_STATUS_INPUTS);
  CHECK(dlb_request_array(request, nullptr, DLB_TYPE_F32, data, nullptr, 2) == DLB_STATUS_INPUTS);
  CHECK(dlb_request_array(request, nullptr, DLB_TYPE_F32, data, shape, SIZE_MAX) == DLB_STATUS_INPUTS);
  const std::size_t large[2] = {SIZE_MAX, SIZE_MAX}, immense[1] = {SIZE_MAX / 16};
  CHECK(dlb_request_array(request, nullptr, DLB_TYPE_F32, data, large, 2) == DLB_STATUS_INPUTS);
  CHECK(dlb_request_array(request, nullptr, DLB_TYPE_F32, data, immense, 1) == DLB_STATUS_INPUTS);
  CHECK(dlb_request_bytes(request, nullptr, data, SIZE_MAX) == DLB_STATUS_INPUTS);
  CHECK(dlb_request_bytes(request, nullptr, data, SIZE_MAX / 4) == DLB_STATUS_INPUTS);
  CHECK(dlb_request_target_at(request, nullptr, SIZE_MAX) == DLB_STATUS_USAGE);
  CHECK(dlb_request_start(request, nullptr, nullptr, nullptr, nullptr, SIZE_MAX) == DLB_STATUS_INPUTS);
  dlb_gate gate{0, 0, 0, 0};
  CHECK(dlb_request_gate_of(request, "second", &gate) == DLB_STATUS_USAGE);  // struct_size
  CHECK(dlb_request_share_torch(request, nullptr, nullptr) == DLB_STATUS_USAGE);
  CHECK(dlb_request_text(request, nullptr, nullptr) == DLB_STATUS_USAGE);
  CHECK(dlb_request_close(request) == DLB_STATUS_USAGE);
  CHECK(dlb_request_mode(request, 7) == DLB_STATUS_USAGE);
  CHECK(dlb_request_task(request, 7, 0) == DLB_STATUS_USAGE);
  CHECK(dlb_request_target(request, -1, 0) == DLB_STATUS_USAGE);
  CHECK(dlb_request_open(request, nullptr, 7) == DLB_STATUS_USAGE);
  CHECK(dlb_request_open(request, nullptr, DLB_CONTAINER_LIST) == DLB_STATUS_OK);
  CHECK(dlb_request_number(request, "named", 1) == DLB_STATUS_USAGE);
  dlb_scalings* scalings = nullptr;
  dlb_outputs* outputs = nullptr;
  dlb_verification* verification = nullptr;
  // The list is still open.
  CHECK(dlb_request_scalings(request, &scalings) == DLB_STATUS_USAGE);
  CHECK(dlb_request_forward(request, &outputs) == DLB_STATUS_USAGE);
  CHECK(dlb_request_verify(request, &verification) == DLB_STATUS_USAGE);
  CHECK(dlb_request_explain(request, &explanation) == DLB_STATUS_USAGE);
  for (int i = 1; i < DLB_MAX_DEPTH; ++i) CHECK(dlb_request_open(request, nullptr, DLB_CONTAINER_TUPLE) == DLB_STATUS_OK);
  for (int i = 0; i < 30000; ++i) CHECK(dlb_request_open(request, nullptr, DLB_CONTAINER_TUPLE) == DLB_STATUS_INPUTS);
  for (int i = 0; i < DLB_MAX_DEPTH; ++i) CHECK(dlb_request_close(request) == DLB_STATUS_OK);
  CHECK(dlb_request_close(request) == DLB_STATUS_USAGE);
  CHECK(dlb_request_explain(request, &explanation) == DLB_STATUS_INPUTS);
  dlb_request_free(request);

  // After all these refusals a request is as good as new.
  CHECK(dlb_model_load(path.c_str(), nullptr, &model) == DLB_STATUS_OK);
  CHECK(dlb_request_new(model, &request) == DLB_STATUS_OK);
  CHECK(dlb_request_mode(request, 7) == DLB_STATUS_USAGE);
  CHECK(dlb_request_array(request, "x", DLB_TYPE_F32, data, shape, 2) == DLB_STATUS_OK);
  CHECK(dlb_request_explain(request, nullptr) == DLB_STATUS_USAGE);
  CHECK(dlb_request_scalings(request, nullptr) == DLB_STATUS_USAGE);
  CHECK(dlb_request_scalings(nullptr, &scalings) == DLB_STATUS_USAGE && scalings == nullptr);
  CHECK(dlb_request_scalings(request, &scalings) == DLB_STATUS_OK);
  CHECK(dlb_request_forward(request, &outputs) == DLB_STATUS_OK);
  CHECK(dlb_request_verify(request, &verification) == DLB_STATUS_OK);
  CHECK(dlb_request_explain(request, &explanation) == DLB_STATUS_OK);
  dlb_request_free(request);
  dlb_model_free(model);

  auto array = dlbacktrace::detail::sized<dlb_array>();
  auto value = dlbacktrace::detail::sized<dlb_value>();
  auto input = dlbacktrace::detail::sized<dlb_input>();
  auto scaling = dlbacktrace::detail::sized<dlb_scaling>();
  auto checks = dlbacktrace::detail::sized<dlb_checks>();
  const void* tensor = nullptr;
  std::size_t count = 7;
  CHECK(dlb_scalings_count(nullptr, &count) == DLB_STATUS_USAGE && count == 0);
  CHECK(dlb_scalings_count(scalings, &count) == DLB_STATUS_OK && count == 1);
  CHECK(dlb_scalings_get(scalings, 1, &scaling) == DLB_STATUS_USAGE);
  CHECK(dlb_scalings_get(scalings, 0, &scaling) == DLB_STATUS_OK && scaling.pixels == DLB_PIXELS_UNKNOWN);
  CHECK(std::string(scaling.name) == "x");
  CHECK(dlb_outputs_count(outputs, &count) == DLB_STATUS_OK && count == 1);
  CHECK(dlb_outputs_name(outputs, 1, &text) == DLB_STATUS_USAGE && text == nullptr);
  CHECK(dlb_outputs_name(outputs, 0, &text) == DLB_STATUS_OK && std::string(text) == "output");
  CHECK(dlb_outputs_array(outputs, 0, DLB_TYPE_I64, &array) == DLB_STATUS_USAGE && array.data == nullptr);
  CHECK(dlb_outputs_array(outputs, 0, DLB_TYPE_F64, &array) == DLB_STATUS_OK && array.size == 6 && array.rank == 2);
  CHECK(dlb_outputs_torch(outputs, 0, &tensor) == DLB_STATUS_OK && tensor != nullptr);
  CHECK(dlb_verification_checks(verification, &checks) == DLB_STATUS_OK && checks.holds && checks.replayed > 0);
  CHECK(dlb_verification_json(verification, &text) == DLB_STATUS_OK && text[0] == '{');
  dlb_scalings_free(scalings);
  dlb_outputs_free(outputs);
  dlb_verification_free(verification);

  // A program of an older header has room for less, one that forgets the size for nothing.
  summary.struct_size = 2 * sizeof(std::size_t);
  summary.input_count = 7;
  CHECK(dlb_explanation_summary(explanation, &summary) == DLB_STATUS_OK && summary.input_count == 7);
  CHECK(std::string(summary.framework).rfind("libtorch", 0) == 0);
  summary.struct_size = 0;
  CHECK(dlb_explanation_summary(explanation, &summary) == DLB_STATUS_USAGE);
  summary = dlbacktrace::detail::sized<dlb_summary>();
  CHECK(dlb_explanation_summary(explanation, nullptr) == DLB_STATUS_USAGE);
  CHECK(dlb_explanation_summary(explanation, &summary) == DLB_STATUS_OK && summary.input_count == 1);
  CHECK(dlb_explanation_input(explanation, 1, &input) == DLB_STATUS_USAGE);
  CHECK(dlb_explanation_value(explanation, 0, &value) == DLB_STATUS_USAGE);
  CHECK(dlb_explanation_warning(explanation, 99, &text) == DLB_STATUS_USAGE);
  CHECK(dlb_explanation_input_relevance(explanation, 0, 3, DLB_TYPE_F32, &array) == DLB_STATUS_USAGE);
  CHECK(dlb_explanation_input_relevance(explanation, 0, DLB_CHANNEL_NEGATIVE, DLB_TYPE_F32, &array) == DLB_STATUS_OK &&
        array.data == nullptr);
  CHECK(dlb_explanation_input_relevance(explanation, 0, DLB_CHANNEL_POSITIVE, DLB_TYPE_F64, &array) == DLB_STATUS_OK &&
        array.size == 8);
  CHECK(dlb_explanation_input_torch(explanation, 0, DLB_CHANNEL_POSITIVE, &tensor) == DLB_STATUS_OK && tensor != nullptr);
  dlb_explanation_free(explanation);
}
