#include "lamina/lamina.hpp"

namespace lamina {

const char* version() { return LAMINA_VERSION; }
const char* level() { return LAMINA_LEVEL_NAME; }

}  // namespace lamina
