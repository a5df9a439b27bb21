// SPDX-License-Identifier: MIT
//
// Named queues can be used before main begins; a reference to one stays valid until the very end of the process, when
// the queue is closed and says so.
// covers: [W5][W6]

#include <toto/tasks.hpp>

#include <cstdio>
#include <cstdlib>

namespace {

int failures = 0;

void check(bool condition, const char* what) {
  if (!condition) {
    std::fprintf(stderr, "not so: %s\n", what);
    ++failures;
  }
}

int drained = 0;  // by tasks that are queued when main returns

/// Made before the first named queue, so destroyed after the drain at exit.
struct Older {
  toto::TaskQueue* early = nullptr;
  toto::TaskQueue* late = nullptr;
  ~Older() {
    check(early->name() == "w6-early", "the queue of a static initialiser still has its name");
    check(late->name() == "w6-late", "the queue of main still has its name");
    check(toto::TaskQueue::find("w6-late") == late, "the queue can be found");
    check(&toto::TaskQueue::instance("w6-late") == late, "the queue is the same");
    check(drained == 3, "what was accepted has run");
    check(late->stats().completed == 4, "the counts are final");
    check(late->size() == 0, "no thread is left");
    bool refused = false;
    try {
      late->add_task([] { ++drained; });
    } catch (const toto::QueueClosed&) {
      refused = true;
    }
    check(refused, "a closed queue refuses tasks");
    if (failures > 0) {
      std::_Exit(1);
    }
  }
};
Older older;

toto::TaskQueue& early = toto::TaskQueue::instance("w6-early");
const int computed_early = early.yield_task([] { return 20; }).get();

}  // namespace

int main() {
  check(computed_early == 20, "a named queue works before main");
  check(&toto::TaskQueue::instance("w6-early") == &early, "it is the same in main");
  older.early = &early;
  older.late = &toto::TaskQueue::instance("w6-late");
  check(older.late->yield_task([] { return 1; }).get() == 1, "a named queue works in main");
  for (int i = 0; i < 3; ++i) {
    older.late->add_task([] { ++drained; });
  }
  return failures == 0 ? 0 : 1;
}
