// dlbacktrace: explains why a model decided as it did. C++17, no headers of any framework.
//
//   dlbacktrace::Model model("classifier.pt");  // or the directory of a SavedModel
//   auto explanation = model.explain(dlbacktrace::Inputs().push(dlbacktrace::array(pixels, {1, 3, 224, 224})));
//   dlbacktrace::View<float> relevance = explanation.inputs()[0].relevance();
//
// Every failure throws dlbacktrace::Error. Objects are handles that share what they refer to, so destroy them in any order.
// Several threads may call const members of one object at the same time; any other member needs the object alone.
//
// Words: array() owns its elements, borrow() refers to the program's, share() takes a module or tensor of libtorch as it is
// (torch.hpp), and View refers to elements of a result.
#pragma once

#include <dlbacktrace/error.hpp>
#include <dlbacktrace/explanation.hpp>
#include <dlbacktrace/inputs.hpp>
#include <dlbacktrace/model.hpp>
#include <dlbacktrace/options.hpp>
