#include "recorder.h"

#include "chance.h"
#include "describe.h"
#include "effects.h"
#include "errors.h"
#include "layers.h"
#include "listening.h"
#include "packed.h"
#include "ports.h"

#include <algorithm>
#include <iterator>
#include <sstream>
#include <utility>

namespace dlbacktrace::torch_ {
namespace {

/// Operators run under this guard are not recorded.
using Unrecorded = c10::impl::ExcludeDispatchKeyGuard;

/// Whether the operator, if it does not copy, only shows its argument in another way.
bool only_views(const c10::FunctionSchema& schema) {
  const auto is_view = [](const c10::Argument& given) { return given.alias_info() && !given.alias_info()->isWrite(); };
  return !schema.is_mutable() && !schema.returns().empty() &&
         std::all_of(schema.returns().begin(), schema.returns().end(), is_view);
}

}  // namespace

void Recorder::input(const std::string& name, const at::Tensor& tensor) {
  Unrecorded guard(kRecording);
  std::lock_guard lock(mutex_);
  const size_t value = values_.input(name, tensor);
  values_.keep(value, tensor);
  inputs_.push_back({rust::String::lossy(name), value});
}

void Recorder::output(const std::string& name, const at::Tensor& tensor) {
  Unrecorded guard(kRecording);
  std::lock_guard lock(mutex_);
  const size_t value = read(tensor);
  values_.keep(value, tensor);
  outputs_.push_back({rust::String::lossy(name), value});
}

void Recorder::call(const c10::OperatorHandle& op, c10::DispatchKeySet keys, c10::Stack* stack) {
  TORCH_CHECK(!watcher_ || (*watcher_)->goes_on(), "the run was stopped");
  {
    // The run continued, so the earlier failure did not end it.
    std::lock_guard lock(mutex_);
    failure_.clear();
  }
  const std::string base = base_name(op);
  const Keep* leaf = policy_->leaf(base);
  const bool composite = op.hasKernelForDispatchKey(c10::DispatchKey::CompositeImplicitAutograd);
  const bool drops = composite && drops_some(op.schema(), torch::jit::last(stack, op.schema().arguments().size()));
  if (composite && (!leaf || drops)) return call_parts(op, keys, base, stack);
  const Keep keep = leaf ? *leaf : Keep::Indices;
  if (only_views(op.schema())) return call_view(op, base, keep, stack);
  call_whole(op, base, keep, stack);
}

void Recorder::call_whole(const c10::OperatorHandle& op, const std::string& base, Keep keep, c10::Stack* stack) {
  Unrecorded guard(kRecording);
  const auto& schema = op.schema();
  const auto arguments = torch::jit::last(stack, schema.arguments().size());
  Pending pending = begin(op, base, keep, arguments);
  const Chance in_training = chance_of(schema, arguments);
  const Draws draws(op);
  try {
    op.callBoxed(stack);
  } catch (const std::exception& error) {
    blame(op, pending, error);
    throw;
  }
  pending.record.chance = draws.any() ? Chance::Drawn : in_training;
  end(op, std::move(pending), torch::jit::last(stack, schema.returns().size()));
}

/// A view of a storage that was written since its base was read needs no record: the storage alone shows its content when
/// somebody reads it. So a loop that reads one column after writing another never reads the whole.
void Recorder::call_view(const c10::OperatorHandle& op, const std::string& base, Keep keep, c10::Stack* stack) {
  Unrecorded guard(kRecording);
  const auto& schema = op.schema();
  const std::vector<c10::IValue> arguments = torch::jit::last(stack, schema.arguments().size()).vec();
  try {
    op.callBoxed(stack);
  } catch (const std::exception& error) {
    blame(op, begin(op, base, keep, arguments), error);
    throw;
  }
  const auto returns = torch::jit::last(stack, schema.returns().size());
  if (!shows_stale(arguments, returns)) end(op, begin(op, base, keep, arguments), returns);
}

/// Follows a composite operator into its parts. If none of them accounts for its result, it is recorded itself, so that
/// nothing computed out of sight counts as a constant.
void Recorder::call_parts(const c10::OperatorHandle& op, c10::DispatchKeySet keys, const std::string& base,
                          c10::Stack* stack) {
  const auto& schema = op.schema();
  const std::vector<c10::IValue> arguments = torch::jit::last(stack, schema.arguments().size()).vec();
  try {
    is_layered(op, arguments) ? call_layers(op, stack) : op.redispatchBoxed(keys & kBelowRecording, stack);
  } catch (const std::exception& error) {
    Unrecorded guard(kRecording);
    blame(op, begin(op, base, Keep::Indices, arguments), error);
    throw;
  }
  Unrecorded guard(kRecording);
  const auto returns = torch::jit::last(stack, schema.returns().size());
  if (!accounts_for(returns)) end(op, begin(op, base, Keep::Indices, arguments), returns);
}

bool Recorder::accounts_for(c10::ArrayRef<c10::IValue> returns) {
  std::lock_guard lock(mutex_);
  const auto tensors = tensors_in(returns);
  return std::all_of(tensors.begin(), tensors.end(), [&](const auto& tensor) { return values_.knows(tensor); });
}

bool Recorder::shows_stale(c10::ArrayRef<c10::IValue> arguments, c10::ArrayRef<c10::IValue> returns) {
  std::lock_guard lock(mutex_);
  if (arguments.empty() || !arguments[0].isTensor() || !values_.is_stale(arguments[0].toTensor())) return false;
  const at::Tensor& base = arguments[0].toTensor();
  const auto tensors = tensors_in(returns);
  return std::all_of(tensors.begin(), tensors.end(), [&](const at::Tensor& view) {
    return Values::address(view) == Values::address(base) && view.scalar_type() == base.scalar_type() &&
           view.is_conj() == base.is_conj() && view.is_neg() == base.is_neg();
  });
}

Recorder::Pending Recorder::begin(const c10::OperatorHandle& op, const std::string& base, Keep keep,
                                  c10::ArrayRef<c10::IValue> arguments) {
  std::lock_guard lock(mutex_);
  const auto& schema = op.schema();
  Scope scope = current_scope();
  Pending pending;
  pending.keep = policy_->keeps_all() ? Keep::All : keep;
  pending.record.chance = Chance::None;
  pending.record.name = schema.name();
  pending.record.overload = schema.overload_name();
  pending.record.base = base;
  pending.record.path = rust::String::lossy(scope.path);
  pending.record.class_name = rust::String::lossy(scope.class_name);
  pending.record.source = rust::String::lossy(sources_->current());
  pending.record.arguments.reserve(arguments.size());
  for (size_t i = 0; i < arguments.size(); ++i) {
    const bool written = is_written(schema, arguments, i);
    const bool whole = pending.keep == Keep::All || pending.keep == Keep::Read ||
                       (pending.keep == Keep::Unwritten && !written) || (pending.keep == Keep::Rest && i > 0);
    pending.record.arguments.push_back(
        describe(schema.arguments()[i].name(), unpacked(arguments[i]), [&](const at::Tensor& tensor) {
          RawSlot slot = read_slot(tensor, whole);
          if (policy_->keeps_all()) pending.read.push_back(slot.value);
          return slot;
        }));
    if (written) {
      for (at::Tensor& tensor : tensors_in(arguments[i])) pending.written.push_back(std::move(tensor));
    }
  }
  for (const at::Tensor& tensor : pending.written) {
    values_.before_write(tensor);
    pending.addresses.push_back(Values::address(tensor));
  }
  if (policy_->keeps_all()) {
    // TorchScript may append to a list later.
    for (const c10::IValue& argument : arguments) {
      pending.stack.push_back(argument.isList() ? c10::IValue(argument.toList().copy()) : argument);
    }
  }
  return pending;
}

void Recorder::end(const c10::OperatorHandle& op, Pending pending, c10::ArrayRef<c10::IValue> returns) {
  std::lock_guard lock(mutex_);
  if (!open_) return;
  std::vector<std::pair<at::Tensor, RawOutput>> written;
  for (size_t i = 0; i < pending.written.size(); ++i) {
    const at::Tensor& tensor = pending.written[i];
    // An operator such as `set_` leaves the content unchanged and shows another storage.
    const bool stayed = Values::address(tensor) == pending.addresses[i];
    const auto seen = stayed ? Values::Seen{values_.write(tensor), true} : values_.give(tensor);
    written.emplace_back(tensor, output_slot(tensor, seen, pending.keep));
  }
  for (const at::Tensor& tensor : tensors_in(returns)) {
    auto same = std::find_if(written.begin(), written.end(), [&](const auto& w) { return w.first.is_same(tensor); });
    if (same == written.end()) {
      pending.record.outputs.push_back(output_slot(tensor, values_.give(tensor), pending.keep));
    } else {
      pending.record.outputs.push_back(same->second);
      written.erase(same);
    }
  }
  const size_t returned = pending.record.outputs.size();
  for (const auto& [tensor, output] : written) pending.record.outputs.push_back(output);
  if (policy_->keeps_all()) {
    Rerun rerun{op,
                std::move(pending.stack),
                std::move(pending.read),
                {},
                returned,
                std::string(pending.record.path),
                pending.record.chance == Chance::Drawn};
    for (const RawOutput& output : pending.record.outputs) rerun.results.push_back(output.value);
    reruns_.push_back(std::move(rerun));
  }
  records_.push_back(std::move(pending.record));
}

size_t Recorder::read(const at::Tensor& tensor) {
  std::optional<Values::Alias> alias;
  const size_t value = values_.read(tensor, alias);
  if (!alias) return value;
  RawRecord record{};
  for (size_t part : *alias) {
    const Geometry& geometry = values_.geometry(part);
    RawPatch patch{part, geometry.offset, {}, {}};
    std::copy(geometry.sizes.begin(), geometry.sizes.end(), std::back_inserter(patch.sizes));
    std::copy(geometry.strides.begin(), geometry.strides.end(), std::back_inserter(patch.strides));
    record.patches.push_back(std::move(patch));
  }
  records_.push_back(std::move(record));
  return value;
}

/// Single numbers count as indices, because rules read them as sizes, thresholds and factors.
bool Recorder::keeps(const at::Tensor& tensor, bool whole) const {
  return whole || tensor.dim() == 0 || at::isIntegralType(tensor.scalar_type(), /*includeBool=*/true);
}

RawSlot Recorder::read_slot(const at::Tensor& tensor, bool whole) {
  const size_t value = read(tensor);
  const bool kept = keeps(tensor, whole);
  if (kept) values_.keep(value, tensor);
  return {value, false, kept};
}

RawOutput Recorder::output_slot(const at::Tensor& tensor, Values::Seen seen, Keep keep) {
  const bool kept = keeps(tensor, keep == Keep::All || keep == Keep::Results);
  if (kept) values_.keep(seen.value, tensor);
  return {seen.value, seen.fresh, kept};
}

void Recorder::blame(const c10::OperatorHandle& op, const Pending& pending, const std::exception& error) {
  std::lock_guard lock(mutex_);
  if (!failure_.empty()) return;
  std::ostringstream text;
  text << c10::toString(op.operator_name());
  if (!pending.record.path.empty()) text << " in module " << pending.record.path;
  if (!pending.record.class_name.empty()) text << " (" << pending.record.class_name << ")";
  const char* separator = " on shapes ";
  for (const RawArgument& argument : pending.record.arguments) {
    for (const RawSlot& slot : argument.slots) {
      if (slot.undefined) continue;
      text << std::exchange(separator, ", ") << c10::IntArrayRef(values_.geometry(slot.value).sizes);
    }
  }
  if (!pending.record.source.empty()) text << " at " << pending.record.source;
  text << ": " << short_text(error);
  failure_ = text.str();
}

std::string Recorder::failure() {
  std::lock_guard lock(mutex_);
  return failure_;
}

std::unique_ptr<Recording> Recorder::finish() {
  std::lock_guard lock(mutex_);
  open_ = false;
  auto recording = std::make_unique<Recording>();
  recording->records_ = std::move(records_);
  recording->values_ = values_.take();
  recording->inputs_ = std::move(inputs_);
  recording->outputs_ = std::move(outputs_);
  recording->reruns_ = std::move(reruns_);
  recording->kept_all_ = policy_->keeps_all();
  return recording;
}

}  // namespace dlbacktrace::torch_
