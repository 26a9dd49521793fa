/* dlbacktrace: explains why a model decided as it did. The plain-C interface; for C++ there is dlbacktrace.hpp.
 *
 * Calls. A function that returns a dlb_status writes its result to its last argument. If it fails, the result is zero: NULL, 0,
 * or a struct of zeros. Neither an exception nor a panic leaves a function. Texts are UTF-8, paths are the system's bytes.
 *
 * Owners. The texts and arrays that a function gives belong to the handle that it was called with and live as long as that.
 * Handles own what they need: free them in any order; freeing NULL does nothing.
 *
 * Threads. Several threads may call functions with the same handle at the same time where its argument is const. Any other call,
 * and freeing, needs the handle alone. dlb_last_error is each thread's own.
 *
 * Growth. Structs that begin with struct_size may get more fields at their end. The program sets struct_size to their sizeof
 * before each call, and only that much is read or written. Enumerations may get more numbers. They are passed as int, so that
 * a number that the library does not know is refused.
 *
 * Words. Share: to use the program's own module or tensor, without a copy. An array of a request is copied.
 */
#ifndef DLBACKTRACE_H
#define DLBACKTRACE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The version of this header; dlb_version() is that of the library. */
#define DLB_VERSION_MAJOR 0
#define DLB_VERSION_MINOR 1
#define DLB_VERSION_PATCH 0
#define DLB_VERSION "0.1.0"

/* Rises when something in the header of a released version changes or disappears. The file name of the library contains it
 * (libdlbacktrace.so.1). */
#define DLB_ABI_VERSION 1

/* Statuses must not be dropped. */
#if defined(__cplusplus)
#define DLB_NODISCARD [[nodiscard]]
#elif defined(__GNUC__)
#define DLB_NODISCARD __attribute__((warn_unused_result))
#else
#define DLB_NODISCARD
#endif

/* A struct of this type that is ready for a call: dlb_summary summary = DLB_SIZED(dlb_summary); */
#ifndef __cplusplus
#define DLB_SIZED(type) ((type){.struct_size = sizeof(type)})
#endif

/* The exit codes of the command. Any number but 0 is a failure. */
typedef enum dlb_status {
  DLB_STATUS_OK = 0,
  DLB_STATUS_INTERNAL = 1,   /* a defect, or a failure of the framework */
  DLB_STATUS_USAGE = 2,      /* no such output, unit, module or input; a wrong argument */
  DLB_STATUS_MODEL = 3,      /* the model cannot be loaded */
  DLB_STATUS_RULE = 4,       /* relevance reached an operator that has no rule */
  DLB_STATUS_INPUTS = 5,     /* the inputs do not fit the model */
  DLB_STATUS_LIBRARY = 6,    /* the framework's library is missing or does not fit */
  DLB_STATUS_CANCELLED = 130 /* the progress function stopped the explanation */
} dlb_status;

/* The DLB_ABI_VERSION that the library was built with; a program compares it with its own. */
int dlb_abi_version(void);
/* The version of dlbacktrace, such as "0.1.0". */
const char* dlb_version(void);
/* The message of this thread's last failed call, valid until its next call fails; never NULL. */
const char* dlb_last_error(void);

typedef struct dlb_model dlb_model;
typedef struct dlb_request dlb_request;
typedef struct dlb_explanation dlb_explanation;
typedef struct dlb_outputs dlb_outputs;
typedef struct dlb_scalings dlb_scalings;
typedef struct dlb_verification dlb_verification;

/* Limits of what a request and the options for loading take. */
#define DLB_MAX_RANK 64   /* axes of an array */
#define DLB_MAX_DEPTH 64  /* containers in each other */
#define DLB_MAX_TEXTS 256 /* texts of a list */

typedef enum dlb_type {
  DLB_TYPE_UNKNOWN = -1,
  DLB_TYPE_F32 = 0,
  DLB_TYPE_F64 = 1,
  DLB_TYPE_F16 = 2,
  DLB_TYPE_BF16 = 3,
  DLB_TYPE_I64 = 4,
  DLB_TYPE_I32 = 5,
  DLB_TYPE_U8 = 6,
  DLB_TYPE_BOOL = 7 /* bytes, 0 or not */
} dlb_type;

/* Relevance of both channels; the second is 0 in default mode. */
typedef struct dlb_amount {
  double positive;
  double negative;
} dlb_amount;

/* An array in row-major order that belongs to a handle. Functions that give one take the type of its elements, DLB_TYPE_F32 or
 * DLB_TYPE_F64; the first call for a type converts, later ones give the same data. */
typedef struct dlb_array {
  size_t struct_size;
  const void* data; /* of float or double; NULL if there is no such array */
  size_t size;      /* the number of elements */
  const size_t* shape;
  size_t rank;
  int type; /* a dlb_type */
} dlb_array;

/* ---- models ---------------------------------------------------------------------------------------------------------- */

/* Options for loading. Zeros are the defaults. */
typedef struct dlb_load_options {
  size_t struct_size;
  const char* signature;   /* of a SavedModel; NULL for serving_default */
  const char* const* tags; /* of a SavedModel's graph; none for serve */
  size_t tag_count;
  const char* tensorflow;       /* the library of TensorFlow or its directory; NULL to search for it */
  size_t threads;               /* for a SavedModel's operators; 0 for one each processor */
  const char* const* libraries; /* libraries that register operators with libtorch; loaded first */
  size_t library_count;
} dlb_load_options;

/* Loads a TorchScript archive (a file) or a SavedModel (a directory). options may be NULL. */
DLB_NODISCARD dlb_status dlb_model_load(const char* path, const dlb_load_options* options, dlb_model** model);
/* Shares a live torch::jit::Module: nothing is copied, and the module is not changed. It must be in evaluation mode and on
 * the CPU. module points to it; torch_version is the TORCH_VERSION of the headers that the program was compiled with. */
DLB_NODISCARD dlb_status dlb_model_share_torch(const void* module, const char* torch_version, dlb_model** model);
void dlb_model_free(dlb_model* model);

typedef struct dlb_model_info {
  size_t struct_size;
  const char* framework; /* such as "libtorch 2.13.0" */
  size_t argument_count;
  int ordered;   /* whether arguments are in the model's own order; else inputs by position may be refused */
  int precision; /* a dlb_type: that of its parameters, which its floats should have; DLB_TYPE_UNKNOWN if they have none or
                    several, or if arrays are converted to what the signature says */
} dlb_model_info;

DLB_NODISCARD dlb_status dlb_model_describe(const dlb_model* model, dlb_model_info* info);

/* An input that the model takes. */
typedef struct dlb_argument {
  size_t struct_size;
  const char* name;
  const char* kind; /* as the framework writes it: "Tensor", "List[Tensor]", "Tensor float32 [?, 224, 224, 3]" */
  int optional;     /* whether it may be left out */
} dlb_argument;

DLB_NODISCARD dlb_status dlb_model_argument(const dlb_model* model, size_t index, dlb_argument* argument);
/* What is known of the model without running it, as JSON: inputs, outputs, modules, operators and their rules. */
DLB_NODISCARD dlb_status dlb_model_inspect(const dlb_model* model, const char** json);

/* ---- requests: inputs ------------------------------------------------------------------------------------------------ */

/* The inputs and options of a run. A request keeps its model alive, and may be used more than once. */
DLB_NODISCARD dlb_status dlb_request_new(const dlb_model* model, dlb_request** request);
void dlb_request_free(dlb_request* request);

typedef enum dlb_container { DLB_CONTAINER_LIST = 0, DLB_CONTAINER_TUPLE = 1, DLB_CONTAINER_DICT = 2 } dlb_container;

/* Each of these functions adds an argument: the one of this name, or the next by position if name is NULL. Between open and
 * close they add items to the container; the items have names if it is a dictionary. */

/* Copies an array in row-major order. type is a dlb_type. */
DLB_NODISCARD dlb_status dlb_request_array(dlb_request* request, const char* name, int type, const void* data,
                                           const size_t* shape, size_t rank);
/* Shares the live at::Tensor that tensor points to. */
DLB_NODISCARD dlb_status dlb_request_share_torch(dlb_request* request, const char* name, const void* tensor);
DLB_NODISCARD dlb_status dlb_request_number(dlb_request* request, const char* name, double number);
DLB_NODISCARD dlb_status dlb_request_integer(dlb_request* request, const char* name, int64_t integer);
DLB_NODISCARD dlb_status dlb_request_flag(dlb_request* request, const char* name, int flag);
DLB_NODISCARD dlb_status dlb_request_text(dlb_request* request, const char* name, const char* text);
/* Copies bytes, such as a JPEG file or a serialised tf.Example, for a SavedModel that reads such bytes itself. */
DLB_NODISCARD dlb_status dlb_request_bytes(dlb_request* request, const char* name, const void* data, size_t size);
/* None, for an optional argument. */
DLB_NODISCARD dlb_status dlb_request_nothing(dlb_request* request, const char* name);
/* container is a dlb_container. */
DLB_NODISCARD dlb_status dlb_request_open(dlb_request* request, const char* name, int container);
DLB_NODISCARD dlb_status dlb_request_close(dlb_request* request);

/* ---- requests: options ----------------------------------------------------------------------------------------------- */

typedef enum dlb_mode {
  DLB_MODE_DEFAULT = 0,    /* one channel */
  DLB_MODE_CONTRASTIVE = 1 /* one for and one against */
} dlb_mode;

typedef enum dlb_task {
  DLB_TASK_CLASSIFICATION = 0,
  DLB_TASK_BOUNDING_BOX = 1,
  DLB_TASK_SEGMENTATION = 2, /* cells above the threshold */
  DLB_TASK_NEXT_TOKEN = 3
} dlb_task;

typedef enum dlb_target {
  DLB_TARGET_ARGMAX = 0,
  DLB_TARGET_UNIT = 1, /* counted over the sample's flattened output, from 0; in a segmentation, the map of a class */
  DLB_TARGET_ALL = 2,  /* every output with its own value */
  DLB_TARGET_BOX =
      3, /* the score of the detector's box of this number, in the output named as scores or in the chosen one */
  DLB_TARGET_BOX_OF = 4 /* the highest score among the boxes of this class; the output named as labels or classes holds it */
} dlb_target;

typedef enum dlb_versus {
  DLB_VERSUS_NOTHING = 0,
  DLB_VERSUS_UNIT = 1,  /* one other unit */
  DLB_VERSUS_OTHERS = 2 /* all others, weighted by their softmax */
} dlb_versus;

/* The gate of an activation; NAN for a bound that it lacks. */
typedef struct dlb_gate {
  size_t struct_size;
  double lower; /* below this, positive contributions do not count */
  double upper; /* above this, negative contributions do not count */
  double swish; /* beta of x * sigmoid(beta * x) */
} dlb_gate;

/* Where an explanation is. */
typedef enum dlb_phase {
  DLB_PHASE_RUN = 0, /* before each operator of the model's run; how many there will be is not known */
  DLB_PHASE_WALK = 1 /* after each step of the way back */
} dlb_phase;

/* Called on the explaining thread; phase is a dlb_phase, total is 0 if it is not known. It must not throw. 0 goes on; any other
 * number stops the explanation, which then fails with DLB_STATUS_CANCELLED and frees what it has made. */
typedef int (*dlb_progress)(void* user, int phase, size_t done, size_t total);

/* mode is a dlb_mode. */
DLB_NODISCARD dlb_status dlb_request_mode(dlb_request* request, int mode);
/* task is a dlb_task; threshold matters only for segmentation. */
DLB_NODISCARD dlb_status dlb_request_task(dlb_request* request, int task, double threshold);
/* target is a dlb_target; unit is the number of the unit, box or class, which the other targets do not read. */
DLB_NODISCARD dlb_status dlb_request_target(dlb_request* request, int target, size_t unit);
/* The cells at these coordinates, one for each axis of the output: an index from 0, or from the end if it is negative,
 * DLB_EVERY for all, or DLB_LARGEST where the output is largest. */
#define DLB_EVERY INT64_MIN
#define DLB_LARGEST INT64_MAX
DLB_NODISCARD dlb_status dlb_request_target_at(dlb_request* request, const int64_t* coordinates, size_t count);
/* Starts at the difference between the explained unit and others, in default mode only. versus is a dlb_versus; unit is the
 * number of the other unit, which is read for DLB_VERSUS_UNIT only. */
DLB_NODISCARD dlb_status dlb_request_versus(dlb_request* request, int versus, size_t unit);
/* The axis of the output that counts samples; -1 if the whole output is one sample. By default a second run finds it. */
DLB_NODISCARD dlb_status dlb_request_sample_axis(dlb_request* request, int axis);
/* The axis of the output that counts the classes of a segmentation. By default it is the first axis of a sample in
 * TorchScript, the last in SavedModels. */
DLB_NODISCARD dlb_status dlb_request_class_axis(dlb_request* request, size_t axis);
/* The explained output, counted over the flattened outputs, or by name. By default it is the first with floating-point
 * numbers. */
DLB_NODISCARD dlb_status dlb_request_output(dlb_request* request, size_t index);
DLB_NODISCARD dlb_status dlb_request_output_named(dlb_request* request, const char* name);
/* A start of your own, at the output (module NULL) or at what the module of this path returns, in the shape of that.
 * negative, for contrastive mode, may be NULL. */
DLB_NODISCARD dlb_status dlb_request_start(dlb_request* request, const char* module, const double* positive,
                                           const double* negative, const size_t* shape, size_t rank);
/* The rules by which each step shares relevance: the name of a set, which `dlbacktrace rules` lists, or a set in TOML. All but
 * "backtrace", the default, go with DLB_MODE_DEFAULT. The rule box, as in "epsilon-gamma-box", needs bounds, so give that set in
 * TOML: rule = { box = { low = 0, high = 1 } } in place of rule = "box". */
DLB_NODISCARD dlb_status dlb_request_rules(dlb_request* request, const char* rules);
/* Whether batch norms are folded into the layers beside them (1), which gives the same as a model in which they were folded before, or
 * pass relevance (0); by default, what the rule set says, and "backtrace" lets them pass. */
DLB_NODISCARD dlb_status dlb_request_fold_batch_norms(dlb_request* request, int fold);
/* Whether saturated activations gate the weighted sums before them (1 by default). */
DLB_NODISCARD dlb_status dlb_request_gates(dlb_request* request, int gates);
/* The gate of the weighted sums in a module, in place of its activation's; NULL for no gate. */
DLB_NODISCARD dlb_status dlb_request_gate_of(dlb_request* request, const char* module, const dlb_gate* gate);
/* The total of the start, in place of the output's own value; of a difference, the part of the explained unit. */
DLB_NODISCARD dlb_status dlb_request_scaler(dlb_request* request, double scaler);
/* Multiplies the start by this. */
DLB_NODISCARD dlb_status dlb_request_multiplier(dlb_request* request, double multiplier);
/* Takes the softmax or sigmoid of the output for the start. */
DLB_NODISCARD dlb_status dlb_request_from_logits(dlb_request* request, int from_logits);
/* Keeps the relevance of every recorded value. */
DLB_NODISCARD dlb_status dlb_request_all_values(dlb_request* request, int all_values);
/* Counts the relevance that passes through each module; the JSON reports it. */
DLB_NODISCARD dlb_status dlb_request_modules(dlb_request* request, int modules);
/* Explains this integer input as numbers. */
DLB_NODISCARD dlb_status dlb_request_numeric_input(dlb_request* request, const char* name);
/* Takes this input, such as a mask of floats, as a constant: it is not explained. */
DLB_NODISCARD dlb_status dlb_request_constant_input(dlb_request* request, const char* name);
/* Gives a token the share of the constants that are added to its embedding: its position, its segment. */
DLB_NODISCARD dlb_status dlb_request_whole_tokens(dlb_request* request, int whole);
/* Books relevance that reaches operators without a rule as lost, instead of failing. */
DLB_NODISCARD dlb_status dlb_request_allow_unruled(dlb_request* request, int allow);
/* The seed for a model that draws random numbers: the same seed gives the same explanation. */
DLB_NODISCARD dlb_status dlb_request_random_seed(dlb_request* request, uint64_t seed);
/* A function that is told the progress, and may stop explanations and verifications; NULL for none. Threads that run one request
 * call it at the same time. */
DLB_NODISCARD dlb_status dlb_request_progress(dlb_request* request, dlb_progress progress, void* user);

/* ---- runs ------------------------------------------------------------------------------------------------------------ */

/* Runs the model once and traces its output back to its inputs. */
DLB_NODISCARD dlb_status dlb_request_explain(const dlb_request* request, dlb_explanation** explanation);
/* Runs the model without explaining it. */
DLB_NODISCARD dlb_status dlb_request_forward(const dlb_request* request, dlb_outputs** outputs);
/* Runs the model without explaining it, and finds how it scales each input of numbers. A program that reads pictures calls this
 * once, with any picture, to learn the range of pixels. */
DLB_NODISCARD dlb_status dlb_request_scalings(const dlb_request* request, dlb_scalings** scalings);
/* Explains and checks: whether the recording replays, every step accounts for what it received, and a second run gives the
 * same. */
DLB_NODISCARD dlb_status dlb_request_verify(const dlb_request* request, dlb_verification** verification);

/* ---- outputs --------------------------------------------------------------------------------------------------------- */

/* The tensors of a model's result, flattened. */
void dlb_outputs_free(dlb_outputs* outputs);
DLB_NODISCARD dlb_status dlb_outputs_count(const dlb_outputs* outputs, size_t* count);
/* The name of an output: "output", "output.logits", "output[1]". */
DLB_NODISCARD dlb_status dlb_outputs_name(const dlb_outputs* outputs, size_t index, const char** name);
DLB_NODISCARD dlb_status dlb_outputs_array(const dlb_outputs* outputs, size_t index, int type, dlb_array* array);
/* A pointer to the at::Tensor itself; NULL for a model of another framework. */
DLB_NODISCARD dlb_status dlb_outputs_torch(const dlb_outputs* outputs, size_t index, const void** tensor);

/* ---- scalings -------------------------------------------------------------------------------------------------------- */

/* The range of pixels that an input's scaling shows. */
typedef enum dlb_pixels {
  DLB_PIXELS_UNKNOWN = 0,
  DLB_PIXELS_UNIT = 1, /* 0 to 1 */
  DLB_PIXELS_BYTES = 2 /* 0 to 255 */
} dlb_pixels;

/* The first arithmetic of the model on an input x: factor * x + shift. If there are several factors or shifts, such as one
 * for each channel, these are the largest magnitudes; 1 and 0 if the model scales nothing. */
typedef struct dlb_scaling {
  size_t struct_size;
  const char* name; /* of the input, with the path into lists, tuples and dictionaries */
  double factor;
  double shift;
  int pixels; /* a dlb_pixels */
} dlb_scaling;

void dlb_scalings_free(dlb_scalings* scalings);
DLB_NODISCARD dlb_status dlb_scalings_count(const dlb_scalings* scalings, size_t* count);
DLB_NODISCARD dlb_status dlb_scalings_get(const dlb_scalings* scalings, size_t index, dlb_scaling* scaling);

/* ---- verifications --------------------------------------------------------------------------------------------------- */

typedef struct dlb_checks {
  size_t struct_size;
  int holds;       /* whether all checks passed */
  int closes;      /* whether every step accounts for what it received */
  int repeats;     /* whether a second run gave the same, bit by bit */
  size_t replayed; /* operators that were run again on copies of the recorded tensors */
  size_t failed;   /* those of them that gave something else */
  size_t skipped;  /* operators that drew random numbers or left memory unwritten: they cannot be replayed */
  double coverage; /* the share of the executed operators that has a rule, 0 to 1 */
} dlb_checks;

void dlb_verification_free(dlb_verification* verification);
DLB_NODISCARD dlb_status dlb_verification_checks(const dlb_verification* verification, dlb_checks* checks);
/* The same with the names of the operators, as JSON. */
DLB_NODISCARD dlb_status dlb_verification_json(const dlb_verification* verification, const char** json);

/* ---- explanations ---------------------------------------------------------------------------------------------------- */

void dlb_explanation_free(dlb_explanation* explanation);

/* The reasons of losses. The number of each is its place in the arrays `lost`. */
typedef enum dlb_loss {
  DLB_LOSS_BIAS = 0,
  DLB_LOSS_CONSTANT = 1,
  DLB_LOSS_GATE = 2,
  DLB_LOSS_ZERO_DENOMINATOR = 3,
  DLB_LOSS_MISSING_SIGN = 4,
  DLB_LOSS_PADDING = 5,
  DLB_LOSS_UNEXPLAINED = 6,
  DLB_LOSS_UNRULED = 7,
  DLB_LOSS_DECISION = 8,
  /* By other rules than DLBacktrace's own: */
  DLB_LOSS_STABILISER = 9,
  DLB_LOSS_CANCELLED = 10,
  DLB_LOSS_REMAINDER = 11,
  DLB_LOSS_CLOSED = 12
} dlb_loss;

typedef struct dlb_summary {
  size_t struct_size;
  const char* framework; /* such as "libtorch 2.13.0" */
  size_t input_count;
  size_t value_count; /* 0 unless all values were requested */
  size_t entry_count; /* of the ledger */
  size_t warning_count;
  size_t assumed_count;
  dlb_amount start;       /* the total that the walk started with */
  const dlb_amount* lost; /* for each dlb_loss, and for reasons that a newer library knows */
  size_t lost_count;
  int closes;      /* whether every step accounts for what it received */
  double coverage; /* the share of the executed operators that has a rule, 0 to 1 */
  double load_seconds;
  double forward_seconds;
  double relevance_seconds;
} dlb_summary;

DLB_NODISCARD dlb_status dlb_explanation_summary(const dlb_explanation* explanation, dlb_summary* summary);
DLB_NODISCARD dlb_status dlb_explanation_warning(const dlb_explanation* explanation, size_t index, const char** warning);
/* One assumption made because the model does not say it, as a sentence. */
DLB_NODISCARD dlb_status dlb_explanation_assumed(const dlb_explanation* explanation, size_t index, const char** assumed);

/* The explained output: the prediction. */
typedef struct dlb_output {
  size_t struct_size;
  const char* name;      /* such as "output", "output.logits" */
  const size_t* targets; /* the explained unit of each sample; none if the start is not a single unit */
  size_t target_count;
  int sample_axis; /* the axis that counts samples; -1 if the whole output is one sample */
} dlb_output;

DLB_NODISCARD dlb_status dlb_explanation_output(const dlb_explanation* explanation, dlb_output* output);
DLB_NODISCARD dlb_status dlb_explanation_output_array(const dlb_explanation* explanation, int type, dlb_array* array);
/* The same as a pointer to the at::Tensor itself; NULL for a model of another framework. */
DLB_NODISCARD dlb_status dlb_explanation_output_torch(const dlb_explanation* explanation, const void** tensor);

typedef enum dlb_channel {
  DLB_CHANNEL_POSITIVE = 0, /* the only one in default mode */
  DLB_CHANNEL_NEGATIVE = 1,
  DLB_CHANNEL_DIFFERENCE = 2 /* positive minus negative, which tells classes apart; in default mode, the positive one */
} dlb_channel;

/* An explained input. */
typedef struct dlb_input {
  size_t struct_size;
  const char* name; /* with the path into lists, tuples and dictionaries: "x", "feats[0]", "batch.ids" */
  dlb_amount total;
  int precision; /* the dlb_type that its relevance was computed in: DLB_TYPE_F64 for models in double precision */
} dlb_input;

DLB_NODISCARD dlb_status dlb_explanation_input(const dlb_explanation* explanation, size_t index, dlb_input* input);
/* Its relevance, in the input's shape. channel is a dlb_channel; in default mode, DLB_CHANNEL_NEGATIVE has no data. */
DLB_NODISCARD dlb_status dlb_explanation_input_relevance(const dlb_explanation* explanation, size_t index, int channel,
                                                         int type, dlb_array* relevance);
/* The same as a pointer to the at::Tensor itself; NULL for a model of another framework or an absent channel. */
DLB_NODISCARD dlb_status dlb_explanation_input_torch(const dlb_explanation* explanation, size_t index, int channel,
                                                     const void** tensor);

/* A recorded value, kept if all values were requested; that of the last step comes first. */
typedef struct dlb_value {
  size_t struct_size;
  const char* name;   /* unique: step, module path and operator */
  const char* module; /* dotted path */
  const char* operator_name;
  size_t step;
  int precision; /* as of an input */
} dlb_value;

DLB_NODISCARD dlb_status dlb_explanation_value(const dlb_explanation* explanation, size_t index, dlb_value* value);
DLB_NODISCARD dlb_status dlb_explanation_value_relevance(const dlb_explanation* explanation, size_t index, int channel,
                                                         int type, dlb_array* relevance);
DLB_NODISCARD dlb_status dlb_explanation_value_torch(const dlb_explanation* explanation, size_t index, int channel,
                                                     const void** tensor);

/* What one step received, handed on and lost. The last step comes first. */
typedef struct dlb_entry {
  size_t struct_size;
  const char* operator_name;
  const char* module; /* dotted path */
  const char* source; /* line in the model's code, or NULL */
  size_t step;
  dlb_amount received;
  dlb_amount delivered;
  const dlb_amount* lost; /* as in a summary */
  size_t lost_count;
  int closes; /* whether received = delivered + lost */
} dlb_entry;

DLB_NODISCARD dlb_status dlb_explanation_entry(const dlb_explanation* explanation, size_t index, dlb_entry* entry);
/* Everything except the arrays, as JSON with the fields of the command's explanation.json. */
DLB_NODISCARD dlb_status dlb_explanation_json(const dlb_explanation* explanation, const char** json);

#ifdef __cplusplus
}
#endif

#endif
