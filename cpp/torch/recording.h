#pragma once
// A finished recording, as it is handed to Rust.

#include "rust/cxx.h"
#include "values.h"

#include <ATen/core/Tensor.h>

#include <cstddef>
#include <memory>
#include <vector>

namespace dlbacktrace::torch_ {

using AtTensor = at::Tensor;
struct RawRecord;
struct RawValue;
struct RawPort;
struct RawReplay;
struct Rerun;

class Recording {
 public:
  Recording();
  Recording(const Recording&) = delete;
  Recording& operator=(const Recording&) = delete;
  ~Recording();

  /// Hands out the steps, which leave the recording.
  rust::Vec<RawRecord> take_records();
  rust::Vec<RawValue> values() const;
  rust::Vec<RawPort> inputs() const;
  rust::Vec<RawPort> outputs() const;
  /// The kept tensor of a value; null if it is not kept.
  std::unique_ptr<AtTensor> tensor(size_t value) const;
  /// Drops the recording's own hold on tensors, unless a replay needs them.
  void release();
  RawReplay replay() const;

 private:
  friend class Recorder;

  std::vector<RawRecord> records_;
  std::vector<Value> values_;
  std::vector<RawPort> inputs_;
  std::vector<RawPort> outputs_;
  std::vector<Rerun> reruns_;
  bool kept_all_ = false;
};

}  // namespace dlbacktrace::torch_
