// What each file of the bindings adds to the module.
#pragma once

#include <pybind11/pybind11.h>

namespace lamina::bindings {

void bind_info(pybind11::module_& m);
void bind_functions(pybind11::module_& m);
void bind_model(pybind11::module_& m);
void bind_optimizer(pybind11::module_& m);
void bind_trainer(pybind11::module_& m);

}  // namespace lamina::bindings
