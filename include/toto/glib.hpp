// SPDX-License-Identifier: MIT
//
// GLibExecutor: coroutines on GLib's main loop, which is also GTK's. Opt-in: tasks.hpp does not include it. Needs GLib
// 2.36 or newer. docs/how-to/toolkits.md has an example, and says what happens when the window, the loop or the queue
// ends.

#ifndef TOTO_GLIB_HPP
#define TOTO_GLIB_HPP

#include <glib.h>

#include <utility>

#include "executor.hpp"

namespace toto::inline v0_1 {

/// An executor: posted functions run in the iterations of a GMainContext, on the thread that runs it, in the order
/// posted, with the priority G_PRIORITY_DEFAULT.
///
/// Does not use g_main_context_invoke(): while no thread runs the context, that function calls its argument
/// immediately, on the thread of the queue.
/// Lifetime: must outlive the queues and loops whose tasks are awaited on it; keeps the context until then. Posted
/// functions that have not run stay in the context.
/// Thread safety: Thread-safe, except with destruction.
class GLibExecutor {
 public:
  /// `context`: null for the default one, that of gtk_main() and g_application_run().
  explicit GLibExecutor(GMainContext* context = nullptr) noexcept
      : context_(g_main_context_ref(context != nullptr ? context : g_main_context_default())) {}
  GLibExecutor(const GLibExecutor&) = delete;
  GLibExecutor& operator=(const GLibExecutor&) = delete;
  ~GLibExecutor() { g_main_context_unref(context_); }

  /// Runs `function()` once, later. If memory runs out, the process ends.
  template <class Function>
  void post(Function function) noexcept {
    GSource* const source = g_idle_source_new();
    g_source_set_priority(source, G_PRIORITY_DEFAULT);  // that of an idle source would wait for redrawing
    ::g_source_set_callback(
        source,
        [](gpointer posted) -> gboolean {
          (*static_cast<Function*>(posted))();
          return G_SOURCE_REMOVE;
        },
        new Function(std::move(function)), [](gpointer posted) { delete static_cast<Function*>(posted); });
    g_source_attach(source, context_);
    g_source_unref(source);
  }

 private:
  GMainContext* const context_;
};

static_assert(UserExecutor<GLibExecutor>);

}  // namespace toto::inline v0_1

#endif  // TOTO_GLIB_HPP
