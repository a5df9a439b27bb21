// SPDX-License-Identifier: MIT
//
// Whoever is given a handle needs its header only.

#include <toto/task_handle.hpp>

int get(toto::TaskHandle<int>& handle) {
  return handle.get();
}
