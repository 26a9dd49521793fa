// dlbacktrace: explains why a model decided as it did. C++17, no headers of any framework.
//
//   dlbacktrace::Model model("classifier.pt");  // or the directory of a SavedModel
//   auto explanation = model.explain(dlbacktrace::Inputs().push(dlbacktrace::array(pixels.data(), {1, 3, 224, 224})));
//   dlbacktrace::View<float> relevance = explanation.inputs()[0].relevance();
//
// Every failure throws dlbacktrace::Error. Objects are handles that share what they refer to, so destroy them in any order.
// Several threads may use a Model at the same time; every other object belongs to one thread at a time. torch.hpp takes live
// modules and tensors of libtorch.
#pragma once

#include <dlbacktrace/error.hpp>
#include <dlbacktrace/explanation.hpp>
#include <dlbacktrace/inputs.hpp>
#include <dlbacktrace/model.hpp>
#include <dlbacktrace/options.hpp>
