// SPDX-License-Identifier: MIT
//
// An executor of the program's own whose post() is not noexcept.
// expect: deleted

#include <toto/tasks.hpp>

struct Window {
  void post(toto::Resumption) {}
};

void store(toto::ExecutorRef);

void pass(Window& window) {
  store(window);
}
