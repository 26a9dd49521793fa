#include "recording.h"

#include "dlbacktrace-torch-recorder/src/bridge.rs.h"
#include "rerun.h"

#include <algorithm>
#include <iterator>

namespace dlbacktrace::torch_ {

Recording::Recording() = default;
Recording::~Recording() = default;

rust::Vec<RawRecord> Recording::take_records() {
  rust::Vec<RawRecord> records;
  records.reserve(records_.size());
  for (RawRecord& record : records_) records.push_back(std::move(record));
  records_.clear();
  return records;
}

rust::Vec<RawValue> Recording::values() const {
  rust::Vec<RawValue> values;
  values.reserve(values_.size());
  for (const Value& value : values_) {
    RawValue raw{{}, static_cast<int32_t>(value.geometry.dtype), value.origin, rust::String::lossy(value.name)};
    std::copy(value.geometry.sizes.begin(), value.geometry.sizes.end(), std::back_inserter(raw.sizes));
    values.push_back(std::move(raw));
  }
  return values;
}

rust::Vec<RawPort> Recording::inputs() const {
  rust::Vec<RawPort> ports;
  std::copy(inputs_.begin(), inputs_.end(), std::back_inserter(ports));
  return ports;
}

rust::Vec<RawPort> Recording::outputs() const {
  rust::Vec<RawPort> ports;
  std::copy(outputs_.begin(), outputs_.end(), std::back_inserter(ports));
  return ports;
}

std::unique_ptr<AtTensor> Recording::tensor(size_t value) const {
  if (value >= values_.size() || !values_[value].tensor.defined()) return nullptr;
  return std::make_unique<AtTensor>(values_[value].tensor);
}

void Recording::release() {
  if (kept_all_) return;
  values_.clear();
  values_.shrink_to_fit();
}

}  // namespace dlbacktrace::torch_
