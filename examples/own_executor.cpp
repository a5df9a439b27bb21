// SPDX-License-Identifier: MIT
//
// Coroutines can continue on an event loop of your own, a GUI's for example: anything with `post(function)
// noexcept` is an executor, and resume_on() names the one to continue on. It must outlive the coroutines that
// come back to it, and every call of its post().

#include <condition_variable>
#include <functional>
#include <mutex>
#include <queue>
#include <string>
#include <thread>
#include <toto/tasks.hpp>
#include <utility>

#include "expect.hpp"

/// The main loop of an imaginary GUI toolkit: runs messages on the thread that calls run().
class Window {
 public:
  ~Window() { const std::lock_guard lock(mutex_); }  // no thread is inside post() any more

  template <class Message>
  void post(Message message) noexcept {
    const std::lock_guard lock(mutex_);
    messages_.emplace(std::move(message));
    posted_.notify_one();
  }

  void close() {
    post([this] { open_ = false; });
  }

  void run() {
    while (open_) {
      next_message()();
    }
  }

  void show(const std::string& text) { title_ = text; }
  const std::string& title() const { return title_; }

 private:
  std::function<void()> next_message() {
    std::unique_lock lock(mutex_);
    posted_.wait(lock, [this] { return !messages_.empty(); });
    std::function<void()> message = std::move(messages_.front());
    messages_.pop();
    return message;
  }

  std::mutex mutex_;
  std::condition_variable posted_;
  std::queue<std::function<void()>> messages_;
  bool open_ = true;  // this and what is below: the GUI's thread only
  std::string title_;
};

std::string load() {
  return "loaded in the background";
}

toto::Task<> fill(Window& window, toto::TaskQueue& queue, std::thread::id gui_thread) {
  const std::string text = co_await queue.yield_task(load).resume_on(window);
  expect(std::this_thread::get_id() == gui_thread, "after the await the coroutine is on the GUI's thread");
  window.show(text);
  window.close();
}

int main() {
  Window window;
  toto::TaskQueue queue({.name = "loader"});
  queue.add_task(fill, std::ref(window), std::ref(queue), std::this_thread::get_id());
  window.run();
  expect(window.title() == "loaded in the background", "and may touch what belongs to that thread");
}
