/* The interface from C itself: a model is described, run, verified, explained, and an explanation is stopped. */
#include <dlbacktrace/dlbacktrace.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(condition)                                                      \
  do {                                                                        \
    if (!(condition)) {                                                       \
      fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition); \
      fprintf(stderr, "the last error: %s\n", dlb_last_error());              \
      exit(1);                                                                \
    }                                                                         \
  } while (0)

/* Lets as many steps of the walk happen as user says. */
static int stop_after(void* user, int phase, size_t done, size_t total) {
  CHECK(phase == DLB_PHASE_RUN ? total == 0 : done <= total);
  return phase == DLB_PHASE_WALK && done >= *(const size_t*)user;
}

int main(void) {
  const char* checkout = getenv("DLBACKTRACE_CHECKOUT");
  char path[4096];
  CHECK(snprintf(path, sizeof path, "%s/tests/fixtures/networks/mlp_traced.pt", checkout ? checkout : ".") <
        (int)sizeof path);

  dlb_load_options options = DLB_SIZED(dlb_load_options);
  dlb_model* model = NULL;
  CHECK(dlb_model_load(path, &options, &model) == DLB_STATUS_OK);
  dlb_model_info info = DLB_SIZED(dlb_model_info);
  dlb_argument argument = DLB_SIZED(dlb_argument);
  CHECK(dlb_model_describe(model, &info) == DLB_STATUS_OK && info.argument_count == 1 && info.ordered);
  CHECK(dlb_model_argument(model, 0, &argument) == DLB_STATUS_OK && strcmp(argument.name, "x") == 0);
  CHECK(!argument.optional && strcmp(argument.kind, "Tensor") == 0);

  const float data[8] = {1, -1, 0.5f, 2, 0, 1, 1, -2};
  const size_t shape[2] = {2, 4};
  dlb_request* request = NULL;
  CHECK(dlb_request_new(model, &request) == DLB_STATUS_OK);
  CHECK(dlb_request_array(request, "x", DLB_TYPE_F32, data, shape, 2) == DLB_STATUS_OK);
  dlb_gate gate = DLB_SIZED(dlb_gate);
  gate.upper = gate.swish = NAN;
  CHECK(dlb_request_gate_of(request, "second", &gate) == DLB_STATUS_OK);
  CHECK(dlb_request_all_values(request, 1) == DLB_STATUS_OK);

  dlb_outputs* outputs = NULL;
  dlb_array scores = DLB_SIZED(dlb_array), predicted = DLB_SIZED(dlb_array);
  CHECK(dlb_request_forward(request, &outputs) == DLB_STATUS_OK);
  CHECK(dlb_outputs_array(outputs, 0, DLB_TYPE_F64, &scores) == DLB_STATUS_OK && scores.size == 6);

  dlb_verification* verification = NULL;
  dlb_checks checks = DLB_SIZED(dlb_checks);
  CHECK(dlb_request_verify(request, &verification) == DLB_STATUS_OK);
  CHECK(dlb_verification_checks(verification, &checks) == DLB_STATUS_OK && checks.holds && checks.coverage == 1);

  dlb_explanation* explanation = NULL;
  CHECK(dlb_request_explain(request, &explanation) == DLB_STATUS_OK);
  CHECK(dlb_explanation_output_array(explanation, DLB_TYPE_F64, &predicted) == DLB_STATUS_OK);
  CHECK(memcmp(scores.data, predicted.data, scores.size * sizeof(double)) == 0);

  /* What arrived and what was lost make up the start. */
  dlb_summary summary = DLB_SIZED(dlb_summary);
  dlb_input input = DLB_SIZED(dlb_input);
  dlb_entry entry = DLB_SIZED(dlb_entry);
  CHECK(dlb_explanation_summary(explanation, &summary) == DLB_STATUS_OK && summary.lost_count > DLB_LOSS_DECISION);
  CHECK(dlb_explanation_input(explanation, 0, &input) == DLB_STATUS_OK && input.precision == DLB_TYPE_F32);
  double accounted = input.total.positive;
  for (size_t i = 0; i < summary.lost_count; ++i) accounted += summary.lost[i].positive;
  CHECK(fabs(accounted - summary.start.positive) < 1e-5);
  double lost = 0;
  for (size_t i = 0; i < summary.entry_count; ++i) {
    CHECK(dlb_explanation_entry(explanation, i, &entry) == DLB_STATUS_OK && entry.closes);
    lost += entry.lost[DLB_LOSS_BIAS].positive;
  }
  CHECK(fabs(lost - summary.lost[DLB_LOSS_BIAS].positive) < 1e-6);

  dlb_value value = DLB_SIZED(dlb_value);
  dlb_array relevance = DLB_SIZED(dlb_array);
  const void* tensor = NULL;
  CHECK(summary.value_count > 0 && dlb_explanation_value(explanation, 0, &value) == DLB_STATUS_OK);
  CHECK(dlb_explanation_value_relevance(explanation, 0, DLB_CHANNEL_POSITIVE, DLB_TYPE_F32, &relevance) == DLB_STATUS_OK);
  CHECK(relevance.size > 0 && dlb_explanation_value_torch(explanation, 0, DLB_CHANNEL_POSITIVE, &tensor) == DLB_STATUS_OK);
  CHECK(tensor != NULL && value.precision == DLB_TYPE_F32);
  dlb_explanation_free(explanation);

  CHECK(dlb_request_versus(request, DLB_VERSUS_OTHERS, 0) == DLB_STATUS_OK);
  CHECK(dlb_request_explain(request, &explanation) == DLB_STATUS_OK);
  CHECK(dlb_explanation_summary(explanation, &summary) == DLB_STATUS_OK && summary.closes);
  CHECK(fabs(summary.start.positive) < 1e-6);
  dlb_explanation_free(explanation);
  CHECK(dlb_request_versus(request, 7, 0) == DLB_STATUS_USAGE && strstr(dlb_last_error(), "dlb_versus") != NULL);
  CHECK(dlb_request_versus(request, DLB_VERSUS_NOTHING, 0) == DLB_STATUS_OK);

  size_t steps = 2;
  CHECK(dlb_request_progress(request, stop_after, &steps) == DLB_STATUS_OK);
  CHECK(dlb_request_explain(request, &explanation) == DLB_STATUS_CANCELLED && explanation == NULL);
  CHECK(strstr(dlb_last_error(), "2 of ") != NULL);
  CHECK(dlb_request_progress(request, NULL, NULL) == DLB_STATUS_OK);
  CHECK(dlb_request_explain(request, &explanation) == DLB_STATUS_OK);

  dlb_explanation_free(explanation);
  dlb_verification_free(verification);
  dlb_outputs_free(outputs);
  dlb_request_free(request);
  dlb_model_free(model);
  return 0;
}
