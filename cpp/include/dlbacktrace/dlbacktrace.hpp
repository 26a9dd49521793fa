// dlbacktrace: says why a model decided as it did. C++17, no headers of any framework.
//
//   dlbacktrace::Model model("classifier.pt");  // or the directory of a SavedModel
//   auto explanation = model.explain(dlbacktrace::Inputs().push(dlbacktrace::array(pixels.data(), {1, 3, 224, 224})));
//   dlbacktrace::View<float> relevance = explanation.inputs()[0].relevance();
//
// Whatever fails throws dlbacktrace::Error. Objects are handles that share what they stand for, so they may be destroyed in
// any order. A Model may be used by several threads at once, everything else by one at a time. Live modules and tensors of
// libtorch are in torch.hpp.
#pragma once

#include <dlbacktrace/error.hpp>
#include <dlbacktrace/explanation.hpp>
#include <dlbacktrace/inputs.hpp>
#include <dlbacktrace/model.hpp>
#include <dlbacktrace/options.hpp>
