// SPDX-License-Identifier: MIT
//
// Executors such as a program may have: a thread with a list of messages, and one that never waits.

#ifndef TOTO_TESTS_SUPPORT_OWN_EXECUTOR_HPP
#define TOTO_TESTS_SUPPORT_OWN_EXECUTOR_HPP

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <toto/tasks.hpp>
#include <utility>

namespace toto_tests {

/// One thread that runs messages in order, until the end of the object. Thread-safe.
class MessageThread {
 public:
  MessageThread() : thread_([this] { run(); }) {}
  ~MessageThread() {
    post([this] { open_ = false; });
    thread_.join();
  }
  MessageThread(const MessageThread&) = delete;
  MessageThread& operator=(const MessageThread&) = delete;

  template <class Message>
  void post(Message message) noexcept {
    const std::lock_guard lock(mutex_);
    messages_.emplace_back(std::move(message));
    posted_.notify_one();
  }

  std::thread::id id() const noexcept { return thread_.get_id(); }

 private:
  void run() {
    while (open_) {
      std::unique_lock lock(mutex_);
      posted_.wait(lock, [this] { return !messages_.empty(); });
      const std::function<void()> message = std::move(messages_.front());
      messages_.pop_front();
      lock.unlock();
      message();
    }
  }

  std::mutex mutex_;
  std::condition_variable posted_;
  std::deque<std::function<void()>> messages_;
  bool open_ = true;  // the thread's own
  std::thread thread_;
};

/// Has run what was posted, on its own thread, before post() returns. Nothing in the standard forbids that, and the
/// caller of post() must not touch what the coroutine takes with it when it ends.
struct PromptExecutor {
  void post(toto::Resumption resumption) noexcept { std::thread(std::move(resumption)).join(); }
};

/// Keeps what it is given until the test runs it, on the test's thread. Any thread may post.
struct ManualExecutor {
  std::mutex mutex;
  std::deque<toto::Resumption> posted;

  void post(toto::Resumption resumption) noexcept {
    const std::lock_guard lock(mutex);
    posted.push_back(std::move(resumption));
  }
  void run_all() {
    std::unique_lock lock(mutex);
    while (!posted.empty()) {
      const toto::Resumption next = std::move(posted.front());
      posted.pop_front();
      lock.unlock();
      next();
      lock.lock();
    }
  }
};

}  // namespace toto_tests

#endif  // TOTO_TESTS_SUPPORT_OWN_EXECUTOR_HPP
