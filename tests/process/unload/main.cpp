// SPDX-License-Identifier: MIT
//
// covers: [R10]
// only: posix
// not: address sanitizer, which takes what the library leaves behind, its registry, for a leak
//
// A library is unloaded: when nothing of it is left, while its tasks run, while a timer is due, and after the time that
// the end of a process waits. Its code is gone afterwards, and no thread was in it.

#include "plugin.hpp"

#include <dlfcn.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <iterator>
#include <string>
#include <thread>
#include <toto/tasks.hpp>
#include <vector>

#include "support/scenarios.hpp"

using namespace std::chrono_literals;
using toto_tests::Evidence;

namespace {

class Plugin {
 public:
  Plugin() : library_(dlopen(TOTO_TEST_PLUGIN, RTLD_NOW | RTLD_LOCAL)) {
    if (library_ == nullptr) {
      std::printf("%s\n", dlerror());
      std::exit(1);
    }
  }
  template <class Function>
  Function* find(const char* name) const {
    return reinterpret_cast<Function*>(dlsym(library_, name));
  }
  /// Whether the library was unloaded. Some systems never do that.
  bool close() {
    dlclose(library_);
#if defined(__GLIBC__)
    return dlopen(TOTO_TEST_PLUGIN, RTLD_NOW | RTLD_NOLOAD) == nullptr;
#else
    return true;
#endif
  }

 private:
  void* library_;
};
#define TOTO_TEST_CALL(plugin, function) (plugin).find<decltype(function)>(#function)

#if defined(__linux__)
std::ptrdiff_t threads() {
  return std::distance(std::filesystem::directory_iterator("/proc/self/task"), {});
}
#else
std::ptrdiff_t threads() {
  return 0;
}
#endif

int after_shutdown(Evidence& evidence) {
  Plugin plugin;
  const std::ptrdiff_t before = threads() - 1;  // the queue's own
  evidence.count = TOTO_TEST_CALL(plugin, use)();
  TOTO_TEST_CALL(plugin, start_sleeping)(&evidence.other);
  evidence.flag = TOTO_TEST_CALL(plugin, shutdown)(5000);
  // The system may list one for an instant longer; the thread of the timers would stay for a second if it were idle.
  for (int i = 0; i < 50 && threads() > before; ++i) {
    std::this_thread::sleep_for(10ms);
  }
  if (threads() > before) {
    return 2;
  }
  return plugin.close() ? 0 : 1;
}

// The program exports the names of its own copy of the library, whose code is not the plugin's.
int beside_the_program(Evidence& evidence) {
  toto::TaskQueue& queue = toto::TaskQueue::instance("of the program");
  const auto use_own = [&] {
    return queue
        .yield_task([]() -> toto::Task<int> {
          co_await toto::sleep_for(1ms);
          co_return toto::TaskQueue::current() != nullptr ? 1 : 0;
        })
        .get();
  };
  evidence.count = use_own();
  Plugin plugin;
  evidence.count += TOTO_TEST_CALL(plugin, use)();
  TOTO_TEST_CALL(plugin, start_sleeping)(&evidence.other);
  if (toto::TaskQueue::find("of the plugin") != nullptr || !plugin.close()) {
    return 1;
  }
  evidence.count += use_own();
  return 0;
}

int while_busy(Evidence& evidence) {
  Plugin plugin;
  TOTO_TEST_CALL(plugin, start_slow_task)(300, &evidence.count);
  TOTO_TEST_CALL(plugin, start_slow_task)(300, &evidence.count);
  return plugin.close() ? 0 : 1;
}

int while_a_timer_is_due(Evidence& evidence) {
  Plugin plugin;
  TOTO_TEST_CALL(plugin, start_sleeping)(&evidence.count);
  return plugin.close() ? 0 : 1;
}

int after_the_limit(Evidence& evidence) {
  Plugin plugin;
  TOTO_TEST_CALL(plugin, set_exit_limit)(10);
  TOTO_TEST_CALL(plugin, start_slow_task)(300, &evidence.count);
  return plugin.close() ? 0 : 1;
}

int used_while_loading(Evidence& evidence) {
  Plugin plugin;
  evidence.count = TOTO_TEST_CALL(plugin, use_while_loading)();
  return plugin.close() ? 0 : 1;
}

int before_threads_that_used_it_end(Evidence& evidence) {
  Plugin plugin;
  std::atomic<bool> used = false;
  std::atomic<bool> unloaded = false;
  std::thread user([&] {
    evidence.count = TOTO_TEST_CALL(plugin, use)();
    used = true;
    used.notify_one();
    unloaded.wait(false);
  });
  used.wait(false);
  const bool gone = plugin.close();
  unloaded = true;
  unloaded.notify_one();
  user.join();
  return gone ? 0 : 1;
}

int again_and_again(Evidence& evidence) {
  for (int i = 0; i < 50; ++i) {
    Plugin plugin;
    evidence.count += TOTO_TEST_CALL(plugin, use)();
    if (!plugin.close()) {
      return 1;
    }
  }
  return 0;
}

int at_exit_after_the_limit(Evidence& evidence) {
  Plugin plugin;
  TOTO_TEST_CALL(plugin, set_exit_limit)(10);
  TOTO_TEST_CALL(plugin, start_slow_task)(5000, &evidence.count);
  return 3;
}

template <int kCount, int kOther = 0>
std::string counted(const Evidence& evidence) {
  return evidence.count == kCount && evidence.other == kOther
             ? ""
             : std::to_string(evidence.count) + " and " + std::to_string(evidence.other) + " instead of " +
                   std::to_string(kCount) + " and " + std::to_string(kOther);
}

}  // namespace

int main(int argc, char** argv) {
  return toto_tests::run_scenarios(
      {
          {"after shutdown_instances()", &after_shutdown, 0, &counted<4950, 2>},
          {"beside the program's own copy", &beside_the_program, 0, &counted<4952, 2>},
          {"while its tasks run", &while_busy, 0, &counted<2>},
          {"while a timer is due", &while_a_timer_is_due, 0, &counted<2>},
          {"the limit of the process does not apply", &after_the_limit, 0, &counted<1>},
          {"its static objects have used it", &used_while_loading, 0, &counted<4950>},
          {"before threads that have used it end", &before_threads_that_used_it_end, 0, &counted<4950>},
          {"again and again", &again_and_again, 0, &counted<50 * 4950>},
          {"the limit applies when the process exits", &at_exit_after_the_limit, 3, &counted<0>},
      },
      argc, argv);
}
