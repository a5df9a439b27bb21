// SPDX-License-Identifier: MIT
//
// Coroutines on libuv's event loop.

#include <uv.h>

#include <optional>
#include <toto/libuv.hpp>

#include "toolkit.hpp"

namespace {

class Libuv {
 public:
  struct Widget {};

  Libuv() {
    uv_loop_init(&loop_);
    executor_.emplace(&loop_);
  }
  Libuv(const Libuv&) = delete;
  Libuv& operator=(const Libuv&) = delete;
  ~Libuv() {
    executor_.reset();
    uv_run(&loop_, UV_RUN_DEFAULT);  // for the closing callbacks
    expect(uv_loop_close(&loop_) == 0, "nothing is left in the loop");
  }

  toto::LibuvExecutor& executor() { return *executor_; }
  void run() { uv_run(&loop_, UV_RUN_DEFAULT); }
  void quit() { uv_stop(&loop_); }

 private:
  uv_loop_t loop_{};
  std::optional<toto::LibuvExecutor> executor_;
};

}  // namespace

int main() {
  run_every_order<Libuv>();
}
