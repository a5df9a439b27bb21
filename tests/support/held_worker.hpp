// SPDX-License-Identifier: MIT
//
// Keeps workers of a queue busy, so that a test decides when later tasks begin.

#ifndef TOTO_TESTS_SUPPORT_HELD_WORKER_HPP
#define TOTO_TESTS_SUPPORT_HELD_WORKER_HPP

#include <memory>
#include <toto/tasks.hpp>

#include "gate.hpp"

namespace toto_tests {

/// From construction to release(), one worker of the queue runs a task that waits. One that is not released gives up
/// after kPatience.
class HeldWorker {
 public:
  explicit HeldWorker(toto::TaskQueue& queue) : shared_(std::make_shared<Shared>()) {
    queue.add_task([shared = shared_] {
      shared->begun.open();
      shared->release.wait();
    });
    held_ = shared_->begun.wait();
  }
  ~HeldWorker() { release(); }
  HeldWorker(const HeldWorker&) = delete;
  HeldWorker& operator=(const HeldWorker&) = delete;

  /// False if the worker did not come.
  bool held() const { return held_; }
  void release() { shared_->release.open(); }

 private:
  struct Shared {
    Gate begun;
    Gate release;
  };
  std::shared_ptr<Shared> shared_;
  bool held_ = false;
};

}  // namespace toto_tests

#endif  // TOTO_TESTS_SUPPORT_HELD_WORKER_HPP
