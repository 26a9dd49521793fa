// The plain-C interface misused: each call answers with a status.

#include "check.hpp"

#include <cstring>

int main() {
  CHECK(dlb_abi_version() == DLB_ABI_VERSION);
  CHECK(std::strlen(dlb_version()) > 0);
  CHECK(dlb_last_error() != nullptr);
  dlb_model_free(nullptr);
  dlb_request_free(nullptr);
  dlb_explanation_free(nullptr);

  dlb_request* none = nullptr;
  dlb_summary summary;
  const char* text = nullptr;
  CHECK(dlb_request_new(nullptr, &none) == DLB_USAGE && none == nullptr);
  CHECK(dlb_request_close(nullptr) == DLB_USAGE);
  CHECK(dlb_explanation_summary(nullptr, &summary) == DLB_USAGE);
  CHECK(dlb_model_load(nullptr, nullptr, nullptr) == DLB_USAGE);
  CHECK(std::string(dlb_last_error()).find("null") != std::string::npos);
  CHECK(dlb_model_load("\xff", nullptr, nullptr) == DLB_USAGE);

  dlb_model* model = nullptr;
  const std::string path = file("tests/fixtures/networks/mlp_traced.pt");
  CHECK(dlb_model_load(path.c_str(), nullptr, nullptr) == DLB_USAGE);
  CHECK(dlb_model_load(path.c_str(), nullptr, &model) == DLB_OK);
  CHECK(dlb_model_inspect(model, nullptr) == DLB_USAGE);
  CHECK(dlb_model_inspect(model, &text) == DLB_OK && text[0] == '{');

  dlb_request* request = nullptr;
  dlb_explanation* explanation = nullptr;
  const float data[8] = {};
  const std::size_t shape[2] = {2, 4};
  CHECK(dlb_request_new(model, &request) == DLB_OK);
  dlb_model_free(model);  // the request keeps what it needs
  CHECK(dlb_request_array(request, nullptr, 99, data, shape, 2) == DLB_USAGE);
  CHECK(dlb_request_array(request, nullptr, DLB_F32, nullptr, shape, 2) == DLB_INPUTS);
  CHECK(dlb_request_array(request, nullptr, DLB_F32, data, nullptr, 2) == DLB_INPUTS);
  CHECK(dlb_request_torch(request, nullptr, nullptr) == DLB_USAGE);
  CHECK(dlb_request_text(request, nullptr, nullptr) == DLB_USAGE);
  CHECK(dlb_request_close(request) == DLB_USAGE);
  CHECK(dlb_request_mode(request, 7) == DLB_USAGE);
  CHECK(dlb_request_task(request, 7, 0) == DLB_USAGE);
  CHECK(dlb_request_target(request, -1, 0) == DLB_USAGE);
  CHECK(dlb_request_open(request, nullptr, 7) == DLB_USAGE);
  CHECK(dlb_request_open(request, nullptr, DLB_LIST) == DLB_OK);
  CHECK(dlb_request_number(request, "named", 1) == DLB_USAGE);
  dlb_scalings scalings{};
  CHECK(dlb_request_scalings(request, &scalings) == DLB_USAGE);    // the list is still open
  CHECK(dlb_request_explain(request, &explanation) == DLB_USAGE);  // the same
  dlb_request_free(request);

  // After all these refusals a request is as good as new.
  CHECK(dlb_model_load(path.c_str(), nullptr, &model) == DLB_OK);
  CHECK(dlb_request_new(model, &request) == DLB_OK);
  CHECK(dlb_request_mode(request, 7) == DLB_USAGE);
  CHECK(dlb_request_array(request, "x", DLB_F32, data, shape, 2) == DLB_OK);
  CHECK(dlb_request_explain(request, nullptr) == DLB_USAGE);
  CHECK(dlb_request_scalings(request, nullptr) == DLB_USAGE && dlb_request_scalings(nullptr, &scalings) == DLB_USAGE);
  CHECK(dlb_request_scalings(request, &scalings) == DLB_OK && dlb_request_scalings(request, &scalings) == DLB_OK);
  CHECK(scalings.size == 1 && std::string(scalings.data->name) == "x" && scalings.data->pixels == DLB_PIXELS_UNKNOWN);
  CHECK(dlb_request_explain(request, &explanation) == DLB_OK);
  dlb_request_free(request);
  dlb_model_free(model);

  dlb_float_array array;
  dlb_value value;
  dlb_input input;
  const void* tensor = nullptr;
  CHECK(dlb_explanation_summary(explanation, nullptr) == DLB_USAGE);
  CHECK(dlb_explanation_summary(explanation, &summary) == DLB_OK && summary.input_count == 1);
  CHECK(dlb_explanation_input(explanation, 1, &input) == DLB_USAGE);
  CHECK(dlb_explanation_value(explanation, 0, &value) == DLB_USAGE);
  CHECK(dlb_explanation_warning(explanation, 99, &text) == DLB_USAGE);
  CHECK(dlb_explanation_input_relevance(explanation, 0, 2, &array) == DLB_USAGE);
  CHECK(dlb_explanation_input_relevance(explanation, 0, DLB_NEGATIVE, &array) == DLB_OK && array.data == nullptr);
  CHECK(dlb_explanation_input_relevance(explanation, 0, DLB_POSITIVE, &array) == DLB_OK && array.size == 8);
  CHECK(dlb_explanation_input_torch(explanation, 0, DLB_POSITIVE, &tensor) == DLB_OK && tensor != nullptr);
  dlb_explanation_free(explanation);
}
