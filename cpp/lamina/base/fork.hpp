// While one lives, a fork() in another thread waits: what is written meanwhile is whole in the
// child.
#pragma once

namespace lamina {

class NoFork {
 public:
  NoFork();
  ~NoFork();
  NoFork(const NoFork&) = delete;
  NoFork& operator=(const NoFork&) = delete;
};

}  // namespace lamina
