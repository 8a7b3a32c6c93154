// The module's table of contents. Conversion only: no mathematics, no defaults, no prose.
#include "bindings.hpp"

#ifndef LAMINA_MODULE_NAME
#define LAMINA_MODULE_NAME _core
#endif

PYBIND11_MODULE(LAMINA_MODULE_NAME, m) {
  using namespace lamina::bindings;
  bind_info(m);
  bind_functions(m);
  bind_model(m);
  bind_predictor(m);
  bind_optimizer(m);
  bind_trainer(m);
}
