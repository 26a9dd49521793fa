// Models from files: the same bits as from Rust, errors, threads, lifetimes.

#include "cases.hpp"

#include <unistd.h>
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>
#include <numeric>
#include <optional>
#include <thread>
#include <tuple>

using namespace dlbacktrace;

namespace {

void the_bits_are_those_of_rust() {
  for (const Case& one : cases()) {
    const auto explanation = Model(file(one.model)).explain(inputs(one), options(one));
    const std::string found = bits(explanation);
    if (found != reference(one)) std::cerr << one.name << " differs\n";
    CHECK(found == reference(one));
    CHECK(found.size() > 100);
  }
}

void everything_is_told() {
  const Case& one = cases()[0];
  const auto explanation = Model(file(one.model)).explain(inputs(one), options(one));
  const auto input = explanation.inputs().at(0);
  CHECK(input.name() == "x");
  CHECK((input.relevance().shape() == std::vector<std::size_t>{2, 4}));
  CHECK(input.relevance(Channel::negative).empty());
  double total = 0;
  for (float relevance : input.relevance()) total += relevance;
  CHECK(std::abs(total - input.total().positive) < 1e-5);

  const auto prediction = explanation.prediction();
  CHECK(prediction.name == "output" && prediction.targets.size() == 2);
  CHECK((prediction.values.shape() == std::vector<std::size_t>{2, 3}));

  const auto summary = explanation.summary();
  CHECK(summary.framework.rfind("libtorch ", 0) == 0 && summary.closes && summary.coverage == 1.0);
  double lost = 0;
  for (const Amount& amount : summary.lost) lost += amount.positive;
  CHECK(std::abs(summary.start.positive - lost - total) < 1e-5);

  const auto ledger = explanation.ledger();
  CHECK(ledger.front().operator_name.rfind("aten::", 0) == 0);
  CHECK(std::abs(ledger.front().received.positive - summary.start.positive) < 1e-6);
  const auto linear = explanation.values("second");
  CHECK(!linear.empty() && linear.front().operator_name() == "aten::linear");
  CHECK((linear.front().relevance().shape() == std::vector<std::size_t>{2, 6}));
  CHECK(explanation.values("no such module").empty());
  CHECK(explanation.json().find("\"schema_version\":1") != std::string::npos);
  CHECK(explanation.json().find("\"modules\"") == std::string::npos);
  Options modules;
  modules.modules = true;
  const auto json = Model(file(one.model)).explain(inputs(one), modules).json();
  CHECK(json.find("\"second\"", json.find("\"modules\"")) != std::string::npos);
  CHECK(Model(file(one.model)).inspect().find("aten::linear") != std::string::npos);
}

void cells_and_samples_are_chosen() {
  const Model model(file("tests/fixtures/networks/mlp_traced.pt"));
  const auto x = Inputs().push(array(samples({2, 4}), {2, 4}));
  const auto explained = [&](Target target, std::optional<int> sample_axis) {
    Options options;
    options.target = std::move(target);
    options.sample_axis = sample_axis;
    return model.explain(x, options);
  };
  const auto found = explained(Target::at({Target::every, -1}), std::nullopt);
  CHECK((found.prediction().targets == std::vector<std::size_t>{2, 2}));
  CHECK(found.prediction().sample_axis == 0 && found.assumed().size() == 1);
  const auto unit = explained(Target::unit(2), 0);
  CHECK(unit.assumed().empty());
  const auto [floats, doubles] = std::pair(found.inputs().at(0).relevance(), found.inputs().at(0).relevance_f64());
  const auto same = unit.inputs().at(0).relevance();
  for (std::size_t i = 0; i < floats.size(); ++i) CHECK(floats[i] == same[i] && floats[i] == static_cast<float>(doubles[i]));
  const auto whole = explained(Target::at({1, Target::largest}), -1);
  CHECK(!whole.prediction().sample_axis && whole.prediction().targets.size() == 1);
  fails(Code::usage, "2 axes", [&] { return explained(Target::at({0}), std::nullopt); });
}

void the_range_of_pixels_is_told() {
  using Pixels = Scaling::Pixels;
  const auto told = [](const std::string& model, const std::vector<std::size_t>& shape) {
    const auto scalings = Model(file(model)).scalings(Inputs().set("picture", array(samples(shape), shape)));
    CHECK(scalings.size() == 1 && scalings.front().name == "picture");
    return scalings.front();
  };
  const Scaling bytes = told("tests/fixtures/starts/pixels_bytes.pt", {1, 1, 6, 6});
  CHECK(bytes.pixels == Pixels::bytes && std::abs(bytes.factor - 1 / 255.0) < 1e-7 && bytes.shift == 0);
  const Scaling unit = told("tests/fixtures/starts/pixels_unit.pt", {1, 1, 6, 6});
  CHECK(unit.pixels == Pixels::unit && std::abs(unit.shift / unit.factor - 0.485) < 1e-6);
  CHECK(told("tests/savedmodels/pictures/pixels_rescaled", {1, 6, 6, 1}).pixels == Pixels::bytes);
  const auto mlp = Model(file("tests/fixtures/networks/mlp_traced.pt")).scalings(inputs(cases()[0]));
  CHECK(mlp.front().pixels == Pixels::unknown && mlp.front().factor == 1 && mlp.front().shift == 0);
  fails(Code::inputs, "shape", [&] { return told("tests/fixtures/starts/pixels_bytes.pt", {1, 2, 6, 6}); });
}

void rules_are_taken_by_name_or_as_toml() {
  const Model model(file("tests/fixtures/networks/mlp_traced.pt"));
  const auto x = Inputs().push(array(samples({2, 4}), {2, 4}));
  const auto explained = [&](const std::string& rules) {
    Options options;
    options.rules = rules;
    return model.explain(x, options);
  };
  const auto own = explained("backtrace");
  CHECK(own.summary().lost[Loss::cancelled].positive == 0);
  const auto named = explained("last-layer-signed");
  CHECK(named.summary().closes && named.summary().lost[Loss::stabiliser].positive != 0);
  const auto written = explained(R"(
    name = "mine"
    [[step]]
    kinds = ["linear"]
    rule = "signed-backtrace"
  )");
  CHECK(written.summary().closes && written.summary().lost[Loss::cancelled].positive != 0);
  fails(Code::usage, "there is no rule set epsilonn", [&] { return explained("epsilonn"); });
  fails(Code::usage, "unknown field `kind`", [&] { return explained("name='mine'\n[[step]]\nkind=1\nrule='z-plus'"); });
}

void units_are_told_apart() {
  const Model model(file("tests/fixtures/networks/mlp_traced.pt"));
  const auto x = Inputs().push(array(samples({2, 4}), {2, 4}));
  const auto explained = [&](std::size_t target, std::optional<Versus> versus, std::optional<double> scaler) {
    Options options;
    options.target = Target::unit(target);
    options.versus = versus;
    options.scaler = scaler;
    return model.explain(x, options);
  };
  const auto found = explained(0, Versus::unit(2), std::nullopt);
  const auto [first, second] = std::pair(explained(0, std::nullopt, 1), explained(2, std::nullopt, 1));
  const auto [apart, a, b] =
      std::tuple(found.inputs().at(0).relevance(), first.inputs().at(0).relevance(), second.inputs().at(0).relevance());
  for (std::size_t i = 0; i < apart.size(); ++i) CHECK(std::abs(apart[i] - (a[i] - b[i])) < 1e-6);
  CHECK(found.summary().closes && found.summary().start.positive == 0);
  CHECK(found.json().find(R"("versus":{"unit":2})") != std::string::npos);
  const auto others = explained(0, Versus::others(), std::nullopt);
  CHECK(others.json().find(R"("versus":"others")") != std::string::npos && others.assumed().size() == 2);
  CHECK(first.json().find("versus") == std::string::npos);
  fails(Code::usage, "unit 2 is explained", [&] { return explained(2, Versus::unit(2), std::nullopt); });
  fails(Code::usage, "numbered 0 to 2", [&] { return explained(0, Versus::unit(3), std::nullopt); });
}

void for_minus_against_is_a_channel() {
  const Model model(file("tests/fixtures/networks/mlp_traced.pt"));
  Options options;
  options.all_values = true;
  const auto told = [&](const auto& relevant) {
    const auto [both, against, difference] =
        std::tuple(relevant.relevance(), relevant.relevance(Channel::negative), relevant.relevance(Channel::difference));
    CHECK(difference.shape() == both.shape());
    for (std::size_t i = 0; i < both.size(); ++i) {
      CHECK(difference[i] == both[i] - (against.empty() ? 0 : against[i]));
    }
    CHECK(relevant.torch_tensor(Channel::difference) != nullptr);
    CHECK((relevant.torch_tensor(Channel::difference) == relevant.torch_tensor()) == against.empty());
  };
  for (const auto mode : {Mode::standard, Mode::contrastive}) {
    options.mode = mode;
    const auto found = model.explain(Inputs().push(array(samples({2, 4}), {2, 4})), options);
    told(found.inputs().at(0));
    for (const auto& value : found.values()) told(value);
    CHECK(found.json().find("\"difference\":") != std::string::npos);
  }
}

void a_seed_makes_random_models_repeat() {
  const Model model(file("tests/fixtures/chance/random_dropout.pt"));
  const auto x = Inputs().push(array(samples({2, 4}), {2, 4}));
  Options options;
  options.random_seed = 7;
  const auto found = model.explain(x, options);
  CHECK(!found.warnings().empty() && found.warnings().front().find("random seed 7") != std::string::npos);
  const auto again = model.explain(x, options);
  const auto [first, second] = std::pair(found.inputs().at(0).relevance(), again.inputs().at(0).relevance());
  for (std::size_t i = 0; i < first.size(); ++i) CHECK(first[i] == second[i]);
}

void what_is_wrong_is_told() {
  const Case& one = cases()[0];
  const Model model(file(one.model));
  const auto given = [&](auto... values) {
    Inputs inputs;
    (inputs.push(values), ...);
    return [=, &model] { return model.explain(inputs); };
  };
  fails(Code::inputs, "", given(array(std::vector<double>(8, 1.0), {2, 4})));
  fails(Code::inputs, "shape", given(array(std::vector<float>(10, 1.0f), {2, 5})));
  fails(Code::inputs, "x", given());
  fails(Code::inputs, "has 7 elements, which do not fill its shape [2, 4]",
        [] { return array(std::vector<float>(7, 1.0f), {2, 4}); });
  fails(Code::inputs, "larger than any memory", given(borrow<float>(nullptr, {std::size_t(1) << 40, std::size_t(1) << 40})));
  fails(Code::inputs, "", given("a text"));

  const Model unruled(file("tests/fixtures/failures/unsupported.pt"));
  const auto row = Inputs().push(array(samples({2, 8}), {2, 8}));
  fails(Code::rule, "aten::linalg_matrix_exp", [&] { return unruled.explain(row); });
  Options allowed;
  allowed.allow_unruled = true;
  CHECK(unruled.explain(row, allowed).summary().lost[Loss::unruled].positive != 0);

  fails(Code::model, "no such file", [] { Model(file("no such file")); });
  fails(Code::model, "saved_model.pb", [] { Model(file("tests")); });
  // Whichever part finds out, the library reads both.
  for (const char* other : {"tests", "README.md", "examples/models"}) {
    fails(Code::model, "reads TorchScript archives (torch.jit.save) and TensorFlow SavedModels",
          [&] { Model(file(other)); });
  }
  fails(Code::model, "", [] { Model(file("README.md")); });
  Options far;
  far.target = Target::unit(7);
  fails(Code::usage, "", [&] { return model.explain(inputs(one), far); });
  Options named;
  named.output_name = "no such output";
  fails(Code::usage, "no such output", [&] { return model.explain(inputs(one), named); });
}

void a_missing_library_is_told_and_may_come() {
  setenv("DLBACKTRACE_TORCH", "/nowhere/libdlbacktrace_torch.so.1", 1);
  fails(Code::library, "/nowhere/libdlbacktrace_torch.so.1", [] { Model(file(cases()[0].model)); });
  // Neither a library of others nor a directory without ours is it.
  for (const std::string& foreign : {*loaded("/libstdc++").begin(), std::string("/"), file("README.md")}) {
    setenv("DLBACKTRACE_TORCH", foreign.c_str(), 1);
    fails(Code::library, "DLBACKTRACE_TORCH names " + foreign, [] { Model(file(cases()[0].model)); });
    fails(Code::library, "let it name", [] { Model(file(cases()[0].model)); });
  }
  unsetenv("DLBACKTRACE_TORCH");
  LoadOptions elsewhere;
  elsewhere.tensorflow = "/nowhere.so";
  fails(Code::library, "nowhere.so", [&] { Model(file("tests/savedmodels/networks/mlp_export"), elsewhere); });
  Model(file(cases()[0].model));
}

void options_reach_the_rules() {
  const Case& one = cases()[0];
  const Model model(file(one.model));
  const auto start_of = [&](const Options& options) { return model.explain(inputs(one), options).summary().start; };
  Options scaled;
  scaled.scaler = 5;
  CHECK(std::abs(start_of(scaled).positive - 10) < 1e-6);  // 5 for each of two samples
  Options twice;
  twice.multiplier = 2;
  CHECK(std::abs(start_of(twice).positive - 2 * start_of({}).positive) < 1e-6);
  Options own;
  own.start = Start{{1, 0, 0, 0, 0, 3}, {2, 3}, {}, {}};
  CHECK(std::abs(start_of(own).positive - 4) < 1e-6);
}

void containers_hold_inputs() {
  const Model model(file("tests/fixtures/arguments/input_dict.pt"));
  const auto explanation = model.explain(Inputs().set(
      "batch", Value::dict({{"left", array(samples({2, 3}), {2, 3})}, {"right", array(samples({2, 2}), {2, 2})}})));
  CHECK(explanation.inputs().size() == 2);
}

void exceptions_of_callbacks_come_back() {
  for (const Case& one : {cases()[0], cases()[9]}) {
    const Model model(file(one.model));
    Options options;
    std::size_t told = 0;
    options.progress = [&](const Progress& at) {
      CHECK(at.phase == Progress::Phase::run || at.done <= at.total);
      if (++told == 2) throw std::out_of_range("of the callback");
      return true;
    };
    try {
      (void)model.explain(inputs(one), options);
      CHECK(false);
    } catch (const std::out_of_range& error) {
      CHECK(std::string(error.what()) == "of the callback");
    }
    CHECK(told == 2);
  }
}

void a_callback_stops_the_run_and_the_walk() {
  for (const Case& one : {cases()[2], cases()[7], cases()[9]}) {
    const Model model(file(one.model));
    for (const auto phase : {Progress::Phase::run, Progress::Phase::walk}) {
      Options chosen = options(one);
      std::size_t told = 0, after = 0;
      chosen.progress = [&](const Progress& at) {
        after += told > 0;
        told += at.phase == phase && at.done >= 1;
        return told == 0;
      };
      const std::string said = phase == Progress::Phase::run ? "of the model's run" : "steps of the walk";
      fails(Code::cancelled, said, [&] { return model.explain(inputs(one), chosen); });
      CHECK(told == 1 && after == 0);
      told = after = 0;
      fails(Code::cancelled, "", [&] { return model.verify(inputs(one), chosen); });
    }
    // The model is as it was before.
    CHECK(bits(model.explain(inputs(one), options(one))) == reference(one));
  }
}

void objects_die_in_any_order() {
  const Case& one = cases()[0];
  std::optional<Model> model(file(one.model));
  std::optional<Explanation> explanation = model->explain(inputs(one), options(one));
  model.reset();
  auto input = std::optional(explanation->inputs().at(0));
  const auto relevance = input->relevance();
  explanation.reset();
  CHECK(input->relevance().data() == relevance.data());
  const double total = input->total().positive;
  input.reset();
  CHECK(std::abs(std::accumulate(relevance.begin(), relevance.end(), 0.0) - total) < 1e-5);
}

void eight_threads_share_a_model() {
  for (const Case& one : {cases()[2], cases()[7], cases()[9]}) {
    const Model model(file(one.model));
    const std::string expected = reference(one);
    std::vector<std::thread> threads;
    std::vector<int> right(8, 0);
    for (int thread = 0; thread < 8; ++thread) {
      threads.emplace_back([&, thread] {
        for (int round = 0; round < 5; ++round) right[thread] += bits(model.explain(inputs(one), options(one))) == expected;
        // Each thread has its own last error.
        fails(Code::inputs, "", [&] { return model.explain(Inputs().push("a text")); });
      });
    }
    for (auto& thread : threads) thread.join();
    for (int count : right) CHECK(count == 5);
  }
}

/// Everything const of one model, one explanation and one value, from four threads at once: all see the same.
void const_means_shareable() {
  for (const Case& one : {cases()[1], cases()[8], cases()[9]}) {
    const Model model(file(one.model));
    const Inputs given = inputs(one);
    const Options chosen = options(one);
    for (int round = 0; round < 20; ++round) {
      const Explanation explanation = model.explain(given, chosen);
      const auto input = explanation.inputs().at(0);
      const auto all = [&] {
        std::string told = bits(explanation) + explanation.json() + explanation.summary().framework + model.inspect();
        for (const auto& entry : explanation.ledger()) {
          told += entry.operator_name + entry.module + entry.source + std::to_string(entry.lost[Loss::bias].positive);
        }
        for (const auto& sentence : explanation.assumed()) told += sentence;
        for (const auto& argument : model.arguments()) told += argument.name + argument.kind;
        for (double relevance : input.relevance_f64()) told += std::to_string(relevance);
        for (double score : model.forward(given).at(0).values()) told += std::to_string(score);
        return told;
      };
      std::vector<std::string> told(4);
      std::vector<std::thread> threads;
      for (auto& mine : told) threads.emplace_back([&] { mine = all(); });
      for (auto& thread : threads) thread.join();
      const std::string expected = all();
      for (const auto& other : told) CHECK(other == expected);
    }
  }
}

void a_run_without_an_explanation() {
  for (const Case& one : {cases()[0], cases()[9]}) {
    const Model model(file(one.model));
    const auto outputs = model.forward(inputs(one));
    const auto prediction = model.explain(inputs(one)).prediction();
    CHECK(outputs.size() == 1 && outputs[0].name() == prediction.name);
    const auto values = outputs[0].values_f64();
    CHECK(values.shape() == prediction.values.shape());
    CHECK(std::equal(values.begin(), values.end(), prediction.values.begin()));
    CHECK(outputs[0].values()[0] == static_cast<float>(values[0]));

    const auto verified = model.verify(inputs(one));
    CHECK(verified.holds && verified.closes && verified.repeats && verified.failed == 0 && verified.replayed > 0);
    CHECK(verified.json.find("\"repeats\":true") != std::string::npos);

    const auto arguments = model.arguments();
    CHECK(arguments.size() == 1 && !arguments[0].optional && model.framework().find(' ') != std::string::npos);
    CHECK(is_saved_model(one) ? arguments[0].kind.rfind("Tensor float32 [", 0) == 0 : model.ordered());
  }
  CHECK(Model(file(cases()[0].model)).arguments()[0].name == "x");
  fails(Code::inputs, "shape",
        [] { return Model(file(cases()[0].model)).forward(Inputs().push(borrow(samples({2, 5}).data(), {2, 5}))); });
}

void arguments_arrive_as_they_are_or_are_refused() {
  const Model model(file(cases()[0].model));
  const char* const null = nullptr;
  fails(Code::usage, "null", [&] { return Value(null); });
  fails(Code::usage, "null", [&] { return Inputs().set(null, 1); });
  fails(Code::usage, "null", [&] { return Model(null); });
  const std::string nul("a\0b", 3);
  fails(Code::usage, "NUL", [&] { return Value(nul); });
  fails(Code::usage, "NUL", [&] { return Inputs().set(nul, 1); });
  fails(Code::usage, "NUL", [&] { return Model(std::filesystem::path(nul)); });
  Options named;
  named.output_name = nul;
  fails(Code::usage, "NUL", [&] { return model.explain(inputs(cases()[0]), named); });
  fails(Code::inputs, "18446744073709551615", [] { return Value(std::numeric_limits<std::uint64_t>::max()); });
  fails(Code::inputs, "do not fill",
        [] { return array(std::vector<float>(), {std::size_t(1) << 32, std::size_t(1) << 32}); });
  Options far;
  far.target = Target::box_of(std::numeric_limits<std::size_t>::max());
  fails(Code::usage, "18446744073709551615", [&] { return model.explain(inputs(cases()[0]), far); });
  far = {};
  far.sample_axis = -2;
  fails(Code::usage, "-2 is not an axis", [&] { return model.explain(inputs(cases()[0]), far); });

  Value deep = 1.0;
  for (int i = 0; i < DLB_MAX_DEPTH; ++i) deep = Value::list({deep});
  fails(Code::inputs, "containers in each other", [&] { return Value::tuple({deep}); });
  fails(Code::inputs, "containers in each other", [&] { return Value::dict({{"deeper", deep}}); });
  fails(Code::inputs, "", [&] { return model.explain(Inputs().push(deep)); });
  fails(Code::inputs, "65 axes",
        [&] { return model.explain(Inputs().push(array(std::vector<float>(1), std::vector<std::size_t>(65, 1)))); });
}

long resident() {
  std::ifstream file("/proc/self/statm");
  long size = 0, resident = 0;
  file >> size >> resident;
  return resident * sysconf(_SC_PAGESIZE);
}

void two_hundred_explanations_leave_no_memory() {
  for (const Case& one : {cases()[8], cases()[10]}) {
    const Model model(file(one.model));
    for (int i = 0; i < 50; ++i) (void)model.explain(inputs(one), options(one));
    const long before = resident();
    for (int i = 0; i < 200; ++i) bits(model.explain(inputs(one), options(one)));
    const long grown = resident() - before;
    std::cout << one.name << ": " << grown / 1024 << " KiB more after 200 explanations\n";
#ifndef __SANITIZE_ADDRESS__
    CHECK(grown < 4 << 20);  // the sanitizer keeps what was freed, and finds leaks itself
#endif
  }
}

}  // namespace

int main() {
  a_missing_library_is_told_and_may_come();
  the_bits_are_those_of_rust();
  everything_is_told();
  cells_and_samples_are_chosen();
  the_range_of_pixels_is_told();
  rules_are_taken_by_name_or_as_toml();
  units_are_told_apart();
  for_minus_against_is_a_channel();
  a_seed_makes_random_models_repeat();
  what_is_wrong_is_told();
  options_reach_the_rules();
  containers_hold_inputs();
  exceptions_of_callbacks_come_back();
  a_callback_stops_the_run_and_the_walk();
  objects_die_in_any_order();
  eight_threads_share_a_model();
  const_means_shareable();
  a_run_without_an_explanation();
  arguments_arrive_as_they_are_or_are_refused();
  two_hundred_explanations_leave_no_memory();
}
