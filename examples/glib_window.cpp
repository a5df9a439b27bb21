// SPDX-License-Identifier: MIT
//
// Coroutines on GLib's main loop, which is GTK's, too.

#include <glib.h>

#include <toto/glib.hpp>

#include "toolkit.hpp"

namespace {

class GLib {
 public:
  struct Widget {};

  toto::GLibExecutor& executor() { return executor_; }
  void run() { g_main_loop_run(loop_); }
  void quit() { g_main_loop_quit(loop_); }

  GLib() = default;
  GLib(const GLib&) = delete;
  GLib& operator=(const GLib&) = delete;
  ~GLib() {
    g_main_loop_unref(loop_);
    g_main_context_unref(context_);
  }

 private:
  GMainContext* context_ = g_main_context_new();  // in a program with one loop: null, the default context
  GMainLoop* loop_ = g_main_loop_new(context_, FALSE);
  toto::GLibExecutor executor_{context_};
};

}  // namespace

int main() {
  run_every_order<GLib>();
}
