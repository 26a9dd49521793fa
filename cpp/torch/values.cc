#include "values.h"

#include "dlbacktrace-torch-recorder/src/bridge.rs.h"
#include "snapshot.h"

#include <algorithm>
#include <utility>

namespace dlbacktrace::torch_ {

const void* Values::address(const at::Tensor& tensor) {
  if (has_plain_storage(tensor)) return tensor.storage().unsafeGetStorageImpl();
  return tensor.unsafeGetTensorImpl();
}

bool Values::knows(const at::Tensor& tensor) const { return bodies_.count(address(tensor)) > 0; }

bool Values::is_stale(const at::Tensor& tensor) const {
  auto found = bodies_.find(address(tensor));
  if (found == bodies_.end() || !found->second.traced || !has_plain_storage(tensor)) return false;
  return !current(found->second, Geometry::of(tensor));
}

Values::Body& Values::body_of(const at::Tensor& tensor) {
  auto [found, added] = bodies_.try_emplace(address(tensor));
  if (added && has_plain_storage(tensor)) {
    found->second.alive = tensor.storage().getWeakStorageImpl();
  } else if (added) {
    found->second.alive = c10::weak_intrusive_ptr<c10::TensorImpl, c10::UndefinedTensorImpl>(tensor.getIntrusivePtr());
  }
  return found->second;
}

size_t Values::add(Body& body, Geometry geometry, bool defines, OriginKind origin, std::string name) {
  const size_t value = values_.size();
  body.latest.insert_or_assign(geometry, body.events.size());
  body.events.push_back({value, defines});
  values_.push_back({std::move(geometry), origin, std::move(name), {}});
  return value;
}

std::optional<size_t> Values::current(const Body& body, const Geometry& geometry) const {
  auto found = body.latest.find(geometry);
  if (found == body.latest.end()) return std::nullopt;
  for (size_t later = found->second + 1; later < body.events.size(); ++later) {
    const Event& event = body.events[later];
    if (event.defines && !values_[event.value].geometry.disjoint(geometry)) return std::nullopt;
  }
  return body.events[found->second].value;
}

/// Walks the history back to the last value that covers the target by itself; later writes lie on top of it.
/// If none covers it, everything that brought content is a source, and content that nobody brought comes from nowhere.
Values::Alias Values::sources_of(const Body& body, const Geometry& target) const {
  Alias sources;
  for (auto event = body.events.rbegin(); event != body.events.rend(); ++event) {
    const Geometry& geometry = values_[event->value].geometry;
    const bool covers = geometry.covers(target);
    if (covers || (event->defines && !geometry.disjoint(target))) sources.push_back(event->value);
    if (covers) break;
  }
  std::reverse(sources.begin(), sources.end());
  return sources;
}

/// A value from before the recording: a named weight or a constant.
size_t Values::find_origin(Body& body, Geometry geometry, const at::Tensor& tensor) {
  auto named = names_->find(tensor.unsafeGetTensorImpl());
  if (named == names_->end()) return add(body, std::move(geometry), true, OriginKind::Constant);
  return add(body, std::move(geometry), true, named->second.origin, named->second.path);
}

size_t Values::read(const at::Tensor& tensor, std::optional<Alias>& alias) {
  Body& body = body_of(tensor);
  Geometry geometry = Geometry::of(tensor);
  if (auto value = current(body, geometry)) return *value;
  if (!body.traced) return find_origin(body, std::move(geometry), tensor);
  Alias sources = sources_of(body, geometry);
  if (sources.empty()) return find_origin(body, std::move(geometry), tensor);
  const size_t value = add(body, std::move(geometry), false, OriginKind::Computed);
  sources.push_back(value);
  alias = std::move(sources);
  return value;
}

Values::Seen Values::give(const at::Tensor& tensor) {
  const bool known = knows(tensor);
  Body& body = body_of(tensor);
  Geometry geometry = Geometry::of(tensor);
  if (auto value = current(body, geometry)) return {*value, false};
  if (!known) body.traced = true;
  return {add(body, std::move(geometry), !known, OriginKind::Computed), true};
}

size_t Values::write(const at::Tensor& tensor) {
  Body& body = body_of(tensor);
  body.traced = true;
  return add(body, Geometry::of(tensor), true, OriginKind::Computed);
}

size_t Values::input(const std::string& name, const at::Tensor& tensor) {
  Body& body = body_of(tensor);
  body.traced = true;
  Geometry geometry = Geometry::of(tensor);
  if (auto value = current(body, geometry)) return *value;
  return add(body, std::move(geometry), true, OriginKind::Input, name);
}

void Values::before_write(const at::Tensor& tensor) {
  auto found = bodies_.find(address(tensor));
  if (found == bodies_.end()) return;
  const Geometry region = Geometry::of(tensor);
  auto& kept = found->second.kept;
  auto reached = std::stable_partition(kept.begin(), kept.end(),
                                       [&](size_t value) { return values_[value].geometry.disjoint(region); });
  std::vector<at::Tensor*> tensors;
  for (auto value = reached; value != kept.end(); ++value) tensors.push_back(&values_[*value].tensor);
  move_to_copy(tensors);
  kept.erase(reached, kept.end());
}

void Values::keep(size_t value, const at::Tensor& tensor) {
  if (values_[value].tensor.defined()) return;
  // A tensor object of our own, because operators such as `t_` change the shape of theirs.
  values_[value].tensor = same_content(tensor);
  body_of(tensor).kept.push_back(value);
}

}  // namespace dlbacktrace::torch_
