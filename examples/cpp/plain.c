/* A model explained from plain C, in contrastive mode: what speaks for the class (+), and what against it (-).
 *
 *     plain MODEL NUMBER...       (the model takes one row of as many numbers)
 */
#include <dlbacktrace/dlbacktrace.h>

#include <stdio.h>
#include <stdlib.h>

/* Ends the program with the status of a call that failed; it frees nothing, as the system does. */
static void check(dlb_status status) {
  if (status == DLB_STATUS_OK) return;
  fprintf(stderr, "error: %s\n", dlb_last_error());
  exit(status);
}

int main(int argc, char** argv) {
  if (argc < 3) {
    fprintf(stderr, "usage: plain MODEL NUMBER...\n");
    return DLB_STATUS_USAGE;
  }
  const size_t shape[2] = {1, (size_t)(argc - 2)};
  float* row = malloc(shape[1] * sizeof *row);
  if (row == NULL) return DLB_STATUS_INTERNAL;
  for (int i = 2; i < argc; ++i) row[i - 2] = strtof(argv[i], NULL);

  dlb_model* model = NULL;
  dlb_request* request = NULL;
  dlb_explanation* explanation = NULL;
  check(dlb_model_load(argv[1], NULL, &model));
  check(dlb_request_new(model, &request));
  check(dlb_request_array(request, NULL, DLB_TYPE_F32, row, shape, 2));
  check(dlb_request_mode(request, DLB_MODE_CONTRASTIVE));
  check(dlb_request_from_logits(request, 1));
  check(dlb_request_explain(request, &explanation));

  dlb_output output = DLB_SIZED(dlb_output);
  dlb_array scores = DLB_SIZED(dlb_array), relevance = scores;
  check(dlb_explanation_output(explanation, &output));
  check(dlb_explanation_output_array(explanation, DLB_TYPE_F32, &scores));
  check(dlb_explanation_input_relevance(explanation, 0, DLB_CHANNEL_DIFFERENCE, DLB_TYPE_F32, &relevance));
  const float* difference = relevance.data;
  printf("class %zu of %zu\n", output.targets[0], scores.size);
  for (size_t i = 0; i < relevance.size; ++i) printf("  input %2zu = %-10g %+.4f\n", i, row[i], difference[i]);

  dlb_explanation_free(explanation);
  dlb_request_free(request);
  dlb_model_free(model);
  free(row);
  return DLB_STATUS_OK;
}
