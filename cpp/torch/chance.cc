#include "chance.h"

#include "effects.h"
#include "errors.h"

#include "dlbacktrace-torch-recorder/src/bridge.rs.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/core/enum_tag.h>
#include <torch/csrc/jit/ir/constants.h>
#include <torch/csrc/jit/ir/ir.h>

#include <algorithm>
#include <mutex>
#include <string_view>

namespace dlbacktrace::torch_ {
namespace {

at::Generator generator() { return at::detail::getDefaultCPUGenerator(); }

at::mt19937 engine() {
  at::Generator here = generator();
  std::lock_guard lock(here.mutex());
  return at::check_generator<at::CPUGeneratorImpl>(here)->engine();
}

bool same(const at::mt19937& a, const at::mt19937& b) {
  const auto left = a.data();
  const auto right = b.data();
  return left.left_ == right.left_ && left.next_ == right.next_ && left.seed_ == right.seed_ && left.state_ == right.state_;
}

bool is_tagged(const c10::OperatorHandle& op) { return op.hasTag(at::Tag::nondeterministic_seeded); }

/// Whether the operator normalises by running statistics, which in training are those of the batch.
bool has_running_statistics(const c10::FunctionSchema& schema) {
  const auto& formals = schema.arguments();
  return std::any_of(formals.begin(), formals.end(), [](const auto& formal) { return formal.name() == "running_mean"; });
}

/// The constant argument with one of these names; empty if there is none, or if it is not a constant.
std::optional<c10::IValue> constant(const torch::jit::Node& node, const c10::FunctionSchema& schema,
                                    std::initializer_list<std::string_view> names) {
  const auto& formals = schema.arguments();
  for (size_t i = 0; i < formals.size() && i < node.inputs().size(); ++i) {
    if (std::find(names.begin(), names.end(), formals[i].name()) != names.end()) return torch::jit::toIValue(node.input(i));
  }
  return std::nullopt;
}

bool has(const c10::FunctionSchema& schema, std::initializer_list<std::string_view> names) {
  const auto& formals = schema.arguments();
  return std::any_of(formals.begin(), formals.end(), [&](const auto& formal) {
    return std::find(names.begin(), names.end(), formal.name()) != names.end();
  });
}

}  // namespace

// The parts of a composite operator, such as dropout, may draw although it carries no tag of its own.
Draws::Draws(const c10::OperatorHandle& op) {
  if (is_tagged(op) || op.hasKernelForDispatchKey(c10::DispatchKey::CompositeImplicitAutograd)) before_ = engine();
}

bool Draws::any() const { return before_ && !same(*before_, engine()); }

bool drops_some(const c10::FunctionSchema& schema, c10::ArrayRef<c10::IValue> arguments) {
  const auto& formals = schema.arguments();
  for (size_t i = 0; i < formals.size() && i < arguments.size(); ++i) {
    const std::string& name = formals[i].name();
    const bool rate = name == "dropout_p" || (name == "dropout" && trains(schema, arguments));
    if (rate) return arguments[i].isDouble() && arguments[i].toDouble() > 0;
  }
  return false;
}

Chance chance_of(const c10::FunctionSchema& schema, c10::ArrayRef<c10::IValue> arguments) {
  return has_running_statistics(schema) && trains(schema, arguments) ? Chance::Batch : Chance::None;
}

Chance chance_of(const torch::jit::Node& node) {
  const c10::FunctionSchema* schema = node.maybeSchema();
  if (!schema) return Chance::None;
  const auto op = c10::Dispatcher::singleton().findSchema(schema->operator_name());
  if (!op) return Chance::None;
  const auto trains = constant(node, *schema, {"train", "training"});
  const bool evaluates = trains && trains->isBool() && !trains->toBool();
  if (has_running_statistics(*schema)) {
    return trains && trains->isBool() && trains->toBool() ? Chance::Batch : Chance::None;
  }
  const auto rate = constant(node, *schema, {"p", "dropout", "dropout_p"});
  const bool never = rate && rate->isDouble() && rate->toDouble() == 0;
  const bool drops = has(*schema, {"dropout", "dropout_p"}) || (has(*schema, {"train"}) && has(*schema, {"p"}));
  return !evaluates && !never && (drops || is_tagged(*op)) ? Chance::Drawn : Chance::None;
}

FixedGenerator::FixedGenerator(std::uint64_t seed) {
  at::Generator here = generator();
  std::lock_guard lock(here.mutex());
  before_ = here.get_state();
  here.set_current_seed(seed);
}

FixedGenerator::~FixedGenerator() {
  at::Generator here = generator();
  std::lock_guard lock(here.mutex());
  here.set_state(before_);
}

std::unique_ptr<FixedGenerator> fix_generator(std::uint64_t seed) {
  return guarded([&] { return std::make_unique<FixedGenerator>(seed); });
}

}  // namespace dlbacktrace::torch_
