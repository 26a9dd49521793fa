// Random sequences of calls of the plain-C interface, right ones and wrong ones: each answers with a status of the header, a
// failed one says why and leaves zeros, and whatever was handed out can be read to its last byte and freed. The sanitizers
// watch for the rest.
//
//     fuzz SEQUENCES [SEED]

#include "check.hpp"

#include <cmath>
#include <cstdint>
#include <cstring>
#include <functional>
#include <iterator>
#include <random>
#include <vector>

namespace {

using dlbacktrace::detail::sized;

std::mt19937_64 random_bits;
std::size_t calls = 0, successes = 0;
std::uint64_t read_so_far = 0;  // what was read, so that no compiler leaves the reading out

std::size_t below(std::size_t count) { return random_bits() % count; }
bool one_in(std::size_t count) { return below(count) == 0; }

template <class T, std::size_t Count>
const T& any(const T (&values)[Count]) {
  return values[below(Count)];
}

std::size_t count() { return any<std::size_t>({0, 0, 0, 1, 1, 2, 3, 64, 65, 1000, SIZE_MAX / 8, SIZE_MAX - 1, SIZE_MAX}); }
int number() { return any<int>({0, 0, 0, 1, 1, 2, 3, 4, 5, 7, 99, -1, -2, INT32_MAX, INT32_MIN}); }
std::int64_t integer() { return any<std::int64_t>({0, 1, 2, -1, -3, 17, DLB_EVERY, DLB_LARGEST, INT64_MAX - 1}); }
double real() { return any<double>({0, 1, -1, 0.5, 1e300, -1e-300, INFINITY, -INFINITY, NAN}); }
const char* text() {
  return any<const char*>(
      {nullptr, "", "x", "x", "batch", "left", "inputs", "first", "second", "output", "no such", "\xff\xfe", "a.b.c"});
}

void read(const char* text) {
  CHECK(text != nullptr);
  read_so_far += std::strlen(text);
}

/// Counts the call, and checks what holds of any: the status is one of the header, and a failure says why.
bool works(dlb_status status) {
  ++calls;
  CHECK((status >= DLB_STATUS_OK && status <= DLB_STATUS_LIBRARY) || status == DLB_STATUS_CANCELLED);
  // A defect is not an answer to misuse.
  if (status == DLB_STATUS_INTERNAL) std::cerr << dlb_last_error() << '\n';
  CHECK(status != DLB_STATUS_INTERNAL);
  if (status != DLB_STATUS_OK) CHECK(dlb_last_error()[0] != '\0');
  successes += status == DLB_STATUS_OK;
  return status == DLB_STATUS_OK;
}

void refused(dlb_status status) { CHECK(!works(status)); }

/// Handles of one kind, null among them.
template <class T>
struct Pool {
  void (*free)(T*);
  std::vector<T*> live = {};

  T* any() const { return live.empty() || one_in(20) ? nullptr : live[below(live.size())]; }

  /// Makes a handle by `make`, or none if there are many or it fails.
  void add(const std::function<dlb_status(T**)>& make) {
    T* made = reinterpret_cast<T*>(&made);
    if (one_in(20)) return refused(make(nullptr));
    const bool made_one = works(make(&made));
    CHECK((made != nullptr) == made_one);
    if (made_one) live.push_back(made);
    if (live.size() > 6) drop();
  }

  void drop() {
    const std::size_t place = live.empty() ? 0 : below(live.size());
    free(live.empty() ? nullptr : live[place]);
    if (!live.empty()) live.erase(live.begin() + static_cast<std::ptrdiff_t>(place));
  }

  ~Pool() {
    for (T* handle : live) free(handle);
  }
};

/// A struct whose size is right, mostly.
template <class T>
T any_sized() {
  T made = sized<T>();
  if (one_in(10)) made.struct_size = any<std::size_t>({0, 1, 8, 16, sizeof(T) - 1, SIZE_MAX});
  return made;
}

void read(const dlb_array& array) {
  if (array.struct_size < sizeof array) return;
  std::size_t size = 1;
  for (std::size_t axis = 0; axis < array.rank; ++axis) size *= array.shape[axis];
  CHECK(array.data == nullptr ? array.size == 0 : array.size == size);
  const std::size_t bytes = array.size * (array.type == DLB_TYPE_F64 ? sizeof(double) : sizeof(float));
  for (std::size_t i = 0; i < bytes; ++i) read_so_far += static_cast<const unsigned char*>(array.data)[i];
}

/// That a failed call left zeros behind the size.
template <class T>
void is_zero(const T& made) {
  if (made.struct_size != sizeof made) return;
  const auto* bytes = reinterpret_cast<const unsigned char*>(&made);
  for (std::size_t i = sizeof(std::size_t); i < sizeof made; ++i) CHECK(bytes[i] == 0);
}

template <class T, class Ask>
void ask_struct(Ask&& ask) {
  T made = any_sized<T>();
  if (one_in(30)) return refused(ask(static_cast<T*>(nullptr)));
  if (!works(ask(&made))) return is_zero(made);
  if constexpr (std::is_same_v<T, dlb_array>) read(made);
}

template <class Ask>
void ask_text(Ask&& ask) {
  const char* told = "before";
  if (works(ask(&told))) read(told);
  else CHECK(told == nullptr);
}

template <class Ask>
void ask_tensor(Ask&& ask) {
  const void* tensor = &calls;
  if (!works(ask(&tensor))) CHECK(tensor == nullptr);
}

template <class Ask>
void ask_count(Ask&& ask) {
  std::size_t found = 77;
  if (!works(ask(&found))) CHECK(found == 0);
}

/// Stops now and then.
int progress(void* user, int phase, std::size_t done, std::size_t total) {
  CHECK(user == &calls && (phase == DLB_PHASE_RUN || (phase == DLB_PHASE_WALK && done <= total)));
  return one_in(30) ? any<int>({1, -1, INT32_MIN}) : 0;
}

/// Everything that one sequence has in its hands.
struct Sequence {
  Pool<dlb_model> models{dlb_model_free};
  Pool<dlb_request> requests{dlb_request_free};
  Pool<dlb_explanation> explanations{dlb_explanation_free};
  Pool<dlb_outputs> outputs{dlb_outputs_free};
  Pool<dlb_scalings> scalings{dlb_scalings_free};
  Pool<dlb_verification> verifications{dlb_verification_free};

  void load() {
    static const std::string models_of_tests[] = {
        file("tests/fixtures/networks/mlp_traced.pt"), file("tests/fixtures/arguments/input_dict.pt"),
        file("tests/savedmodels/networks/mlp_export"), file("tests/fixtures/failures/unsupported.pt")};
    static const std::string others[] = {file("README.md"), file("tests"), "", "/nowhere", "\xff"};
    const char* path = one_in(5) ? any(others).c_str() : any(models_of_tests).c_str();
    if (one_in(30)) path = nullptr;
    auto options = any_sized<dlb_load_options>();
    const char* const texts[] = {"serve", text()};
    if (one_in(4)) options.signature = text();
    if (one_in(4)) options.tags = texts, options.tag_count = any<std::size_t>({0, 1, 2, SIZE_MAX});
    if (one_in(8)) options.libraries = texts, options.library_count = any<std::size_t>({0, 2, 257});
    if (one_in(10)) options.tensorflow = text();
    models.add([&](dlb_model** made) { return dlb_model_load(path, one_in(2) ? nullptr : &options, made); });
    if (one_in(20)) models.add([](dlb_model** made) { return dlb_model_share_torch(nullptr, text(), made); });
  }

  void ask_model() {
    const dlb_model* model = models.any();
    switch (below(4)) {
      case 0: return ask_struct<dlb_model_info>([&](auto* made) { return dlb_model_describe(model, made); });
      case 1: return ask_struct<dlb_argument>([&](auto* made) { return dlb_model_argument(model, count(), made); });
      case 2: return ask_text([&](auto* told) { return dlb_model_inspect(model, told); });
      default: return requests.add([&](dlb_request** made) { return dlb_request_new(model, made); });
    }
  }

  /// The inputs that the models of the tests take, so that some runs succeed.
  void give_what_fits() {
    dlb_request* request = nullptr;
    if (!works(dlb_request_new(models.any(), &request))) return;
    requests.live.push_back(request);
    const float data[16] = {1, -1, 0.5, 2};
    const std::size_t extents[4][2] = {{2, 4}, {2, 8}, {2, 3}, {2, 2}};
    const std::size_t kind = below(3);
    if (kind < 2) {
      works(dlb_request_array(request, nullptr, DLB_TYPE_F32, data, extents[kind], 2));
    } else if (works(dlb_request_open(request, "batch", DLB_CONTAINER_DICT))) {
      works(dlb_request_array(request, "left", DLB_TYPE_F32, data, extents[2], 2));
      works(dlb_request_array(request, "right", DLB_TYPE_F32, data, extents[3], 2));
      works(dlb_request_close(request));
    }
    if (one_in(2)) works(dlb_request_all_values(request, 1));
    if (one_in(3)) works(dlb_request_mode(request, DLB_MODE_CONTRASTIVE));
  }

  void give() {
    dlb_request* request = requests.any();
    const double data[64] = {1, 2, 3, real()};
    std::size_t shape[65];
    for (auto& extent : shape) extent = any<std::size_t>({0, 1, 1, 2, 2, SIZE_MAX});
    const std::size_t few[2] = {any<std::size_t>({1, 2, 3}), any<std::size_t>({1, 2, 4})};
    const bool fits = one_in(2);
    // Shapes larger than the data must be larger than any memory.
    std::size_t rank = fits ? 2 : any<std::size_t>({0, 65, 66, SIZE_MAX});
    const std::size_t huge[2] = {SIZE_MAX, 3};
    const std::size_t* extents = fits ? (one_in(8) ? huge : few) : (one_in(4) ? nullptr : shape);
    switch (below(9)) {
      case 0: works(dlb_request_array(request, text(), number(), one_in(10) ? nullptr : data, extents, rank)); break;
      case 1: works(dlb_request_share_torch(request, text(), nullptr)); break;
      case 2: works(dlb_request_number(request, text(), real())); break;
      case 3: works(dlb_request_integer(request, text(), integer())); break;
      case 4: works(dlb_request_flag(request, text(), number())); break;
      case 5: works(dlb_request_text(request, text(), text())); break;
      case 6:
        works(dlb_request_bytes(request, text(), one_in(4) ? nullptr : data, any<std::size_t>({0, 1, 64, SIZE_MAX})));
        break;
      case 7: works(dlb_request_open(request, text(), number())); break;
      default: works(one_in(3) ? dlb_request_nothing(request, text()) : dlb_request_close(request)); break;
    }
  }

  void choose() {
    dlb_request* request = requests.any();
    const std::int64_t coordinates[2] = {integer(), integer()};
    const double start[8] = {1, real(), 0, 0, 3};
    const std::size_t shape[2] = {2, any<std::size_t>({1, 3, 4})};
    auto gate = any_sized<dlb_gate>();
    gate.lower = real(), gate.upper = real(), gate.swish = real();
    switch (below(21)) {
      case 0: works(dlb_request_mode(request, number())); break;
      case 1: works(dlb_request_task(request, number(), real())); break;
      case 2: works(dlb_request_target(request, number(), count())); break;
      case 3:
        works(
            dlb_request_target_at(request, one_in(5) ? nullptr : coordinates, any<std::size_t>({0, 1, 2, 2, 65, SIZE_MAX})));
        break;
      case 4: works(dlb_request_sample_axis(request, number())); break;
      case 5: works(dlb_request_class_axis(request, count())); break;
      case 6: works(dlb_request_output(request, count())); break;
      case 7: works(dlb_request_output_named(request, text())); break;
      case 8:
        works(dlb_request_start(request, text(), one_in(9) ? nullptr : start, one_in(2) ? nullptr : start,
                                one_in(9) ? nullptr : shape, any<std::size_t>({2, 2, 2, 65, SIZE_MAX})));
        break;
      case 9:
        works(one_in(2) ? dlb_request_gates(request, number()) : dlb_request_fold_batch_norms(request, number()));
        break;
      case 10: works(dlb_request_gate_of(request, text(), one_in(3) ? nullptr : &gate)); break;
      case 11: works(dlb_request_scaler(request, real())); break;
      case 12: works(dlb_request_multiplier(request, real())); break;
      case 13: works(one_in(2) ? dlb_request_from_logits(request, number()) : dlb_request_rules(request, text())); break;
      case 14: works(dlb_request_all_values(request, number())); break;
      case 15: works(dlb_request_modules(request, number())); break;
      case 16:
        works(one_in(2) ? dlb_request_numeric_input(request, text()) : dlb_request_constant_input(request, text()));
        break;
      case 17:
        works(one_in(2) ? dlb_request_whole_tokens(request, number()) : dlb_request_versus(request, number(), count()));
        break;
      case 18: works(dlb_request_allow_unruled(request, number())); break;
      case 19: works(dlb_request_progress(request, one_in(2) ? progress : nullptr, &calls)); break;
      default: works(dlb_request_random_seed(request, random_bits())); break;
    }
  }

  void run() {
    const dlb_request* request = requests.any();
    switch (below(6)) {
      case 0: return outputs.add([&](auto** made) { return dlb_request_forward(request, made); });
      case 1: return scalings.add([&](auto** made) { return dlb_request_scalings(request, made); });
      case 2: return verifications.add([&](auto** made) { return dlb_request_verify(request, made); });
      default: return explanations.add([&](auto** made) { return dlb_request_explain(request, made); });
    }
  }

  void ask() {
    const dlb_explanation* of = explanations.any();
    switch (below(20)) {
      case 0: return ask_struct<dlb_summary>([&](auto* made) { return dlb_explanation_summary(of, made); });
      case 1: return ask_text([&](auto* told) { return dlb_explanation_warning(of, count(), told); });
      case 2: return ask_text([&](auto* told) { return dlb_explanation_assumed(of, count(), told); });
      case 3: return ask_struct<dlb_output>([&](auto* made) { return dlb_explanation_output(of, made); });
      case 4: return ask_struct<dlb_array>([&](auto* made) { return dlb_explanation_output_array(of, number(), made); });
      case 5: return ask_tensor([&](auto* tensor) { return dlb_explanation_output_torch(of, tensor); });
      case 6: return ask_struct<dlb_input>([&](auto* made) { return dlb_explanation_input(of, count(), made); });
      case 7:
        return ask_struct<dlb_array>(
            [&](auto* made) { return dlb_explanation_input_relevance(of, count(), number(), number(), made); });
      case 8: return ask_tensor([&](auto* tensor) { return dlb_explanation_input_torch(of, count(), number(), tensor); });
      case 9: return ask_struct<dlb_value>([&](auto* made) { return dlb_explanation_value(of, count(), made); });
      case 10:
        return ask_struct<dlb_array>(
            [&](auto* made) { return dlb_explanation_value_relevance(of, count(), number(), number(), made); });
      case 11: return ask_tensor([&](auto* tensor) { return dlb_explanation_value_torch(of, count(), number(), tensor); });
      case 12: return ask_struct<dlb_entry>([&](auto* made) { return dlb_explanation_entry(of, count(), made); });
      case 13: return ask_text([&](auto* told) { return dlb_explanation_json(of, told); });
      case 14: return ask_count([&](auto* found) { return dlb_outputs_count(outputs.any(), found); });
      case 15: return ask_text([&](auto* told) { return dlb_outputs_name(outputs.any(), count(), told); });
      case 16:
        return ask_struct<dlb_array>([&](auto* made) { return dlb_outputs_array(outputs.any(), count(), number(), made); });
      case 17: return ask_tensor([&](auto* tensor) { return dlb_outputs_torch(outputs.any(), count(), tensor); });
      case 18:
        if (one_in(2)) return ask_count([&](auto* found) { return dlb_scalings_count(scalings.any(), found); });
        return ask_struct<dlb_scaling>([&](auto* made) { return dlb_scalings_get(scalings.any(), count(), made); });
      default:
        if (one_in(2)) return ask_text([&](auto* told) { return dlb_verification_json(verifications.any(), told); });
        return ask_struct<dlb_checks>([&](auto* made) { return dlb_verification_checks(verifications.any(), made); });
    }
  }

  void drop() {
    switch (below(6)) {
      case 0: return models.drop();
      case 1: return requests.drop();
      case 2: return explanations.drop();
      case 3: return outputs.drop();
      case 4: return scalings.drop();
      default: return verifications.drop();
    }
  }

  void step() {
    switch (below(16)) {
      case 0: return load();
      case 1: return ask_model();
      case 2:
      case 3: return give_what_fits();
      case 4:
      case 5: return give();
      case 6:
      case 7: return choose();
      case 8:
      case 9:
      case 10: return run();
      case 11: return drop();
      default: return ask();
    }
  }
};

}  // namespace

int main(int argc, char** argv) {
  CHECK(argc > 1);
  const std::uint64_t sequences = std::stoull(argv[1]), seed = argc > 2 ? std::stoull(argv[2]) : 1;
  for (std::uint64_t i = 0; i < sequences; ++i) {
    // Each sequence can be repeated alone: fuzz 1 SEED.
    random_bits.seed(seed + i);
    Sequence sequence;
    sequence.load();
    for (std::size_t step = 0, steps = 10 + below(40); step < steps; ++step) sequence.step();
  }
  std::cout << calls << " calls, " << successes << " of them successful (" << read_so_far % 1000 << ")\n";
  CHECK(sequences < 100 || 10 * successes > calls);  // most of a sequence would be vain otherwise
}
