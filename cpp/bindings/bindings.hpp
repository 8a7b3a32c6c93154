// What each file of the bindings adds to the module.
#pragma once

#include <pybind11/pybind11.h>

#include "lamina/nn/schedule_spec.hpp"

namespace lamina::bindings {

// Functions of t that the core calls from any thread.
ScheduleFunctions schedule_functions(const pybind11::list& functions);

void bind_info(pybind11::module_& m);
void bind_functions(pybind11::module_& m);
void bind_model(pybind11::module_& m);
void bind_predictor(pybind11::module_& m);
void bind_optimizer(pybind11::module_& m);
void bind_trainer(pybind11::module_& m);

}  // namespace lamina::bindings
