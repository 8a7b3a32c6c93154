#include <Eigen/Core>

#include "array.hpp"
#include "bindings.hpp"
#include "lamina/base/parallel.hpp"
#include "lamina/io/tensor_file.hpp"
#include "lamina/nn/layer.hpp"
#include "lamina/train/trainer.hpp"

#ifndef LAMINA_LEVEL_NAME
#define LAMINA_LEVEL_NAME "generic"
#endif

namespace lamina::bindings {
namespace {

py::dict info() {
  py::dict out;
  out["version"] = LAMINA_VERSION;
  out["level"] = LAMINA_LEVEL_NAME;
  out["openmp"] = has_openmp();
  out["threads"] = thread_count(0);
  out["numerics_version"] = kNumericsVersion;
  out["eigen"] = concat(EIGEN_WORLD_VERSION, ".", EIGEN_MAJOR_VERSION, ".", EIGEN_MINOR_VERSION);
#ifdef __VERSION__
  out["compiler"] = __VERSION__;
#else
  out["compiler"] = "unknown";
#endif
  return out;
}

py::object to_python(const Json& json) {
  return py::module_::import("json").attr("loads")(json.dump());
}

}  // namespace

void bind_info(py::module_& m) {
  py::register_exception_translator([](std::exception_ptr p) {
    try {
      if (p) std::rethrow_exception(p);
    } catch (const FileError& error) {
      PyErr_SetString(PyExc_OSError, error.what());
    } catch (const Json::exception& error) {
      PyErr_SetString(PyExc_ValueError,
                      concat("a description has an unexpected form: ", error.what()).c_str());
    }
  });
  m.def("info", &info);
  m.def(
      "resolve",
      [](const std::string& room, const std::string& spec) {
        return resolve(room, parse_json("spec", spec)).dump();
      },
      py::arg("room"), py::arg("spec"));
  m.def("did_you_mean", &did_you_mean, py::arg("text"), py::arg("candidates"));
  m.def("catalogue", [] {
    Json all = catalogue();
    all["layers"] = layer_catalogue();
    return to_python(all);
  });
}

}  // namespace lamina::bindings
