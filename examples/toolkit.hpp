// SPDX-License-Identifier: MIT
//
// Part of the examples for Qt, GLib and libuv: a window whose coroutines await tasks of a queue, and what happens in
// each order in which window, loop and queue may end. docs/how-to/toolkits.md explains it.
//
// A Toolkit has an executor() on its loop, run() and quit(), and a class Widget.

#ifndef TOTO_EXAMPLES_TOOLKIT_HPP
#define TOTO_EXAMPLES_TOOLKIT_HPP

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <toto/task_scope.hpp>
#include <toto/tasks.hpp>
#include <utility>

#include "expect.hpp"

/// What remains of a window.
struct Record {
  std::atomic<int> frames{0};  // of coroutines that are there
  std::string text;            // that was shown
  std::thread::id on;          // by this thread
};

struct Frame {
  explicit Frame(Record& of_window) : record(of_window) { ++record.frames; }
  Frame(const Frame&) = delete;
  Frame& operator=(const Frame&) = delete;
  ~Frame() { --record.frames; }
  Record& record;
};

/// Slow work, which ends when it is told to.
class Work {
 public:
  std::string load() {
    begun_.store(true);
    begun_.notify_all();
    may_end_.wait(false);
    return "loaded in the background";
  }
  void wait_until_begun() const { begun_.wait(false); }
  void end() {
    may_end_.store(true);
    may_end_.notify_all();
  }

 private:
  std::atomic<bool> begun_{false};
  std::atomic<bool> may_end_{false};
};

template <class Toolkit>
class Window final : public Toolkit::Widget {
 public:
  Window(Toolkit& toolkit, toto::TaskQueue& queue, Record& record)
      : toolkit_(toolkit), queue_(queue), record_(record), tasks_(toolkit.executor()) {}

  void fill(Work& work) { tasks_.spawn(load(work)); }
  void fill_from_the_queue(Work& work) { tasks_.spawn(load_on_the_queue(work, toolkit_, queue_, record_)); }

 private:
  toto::Task<> load(Work& work) {
    const Frame frame(record_);
    show(co_await queue_.yield_task(&Work::load, std::ref(work)));  // back on the window's thread
  }

  /// While it is away, on the queue, it uses only what outlives the window.
  toto::Task<> load_on_the_queue(Work& work, Toolkit& toolkit, toto::TaskQueue& queue, Record& record) {
    const Frame frame(record);
    co_await queue.schedule();
    const std::string text = work.load();
    co_await toto::resume_on(toolkit.executor());  // does not come back to a window that is gone
    show(text);
  }

  void show(const std::string& text) {
    title_ = text;
    record_.text = title_;
    record_.on = std::this_thread::get_id();
    toolkit_.quit();
  }

  Toolkit& toolkit_;
  toto::TaskQueue& queue_;
  Record& record_;
  std::string title_;
  toto::TaskScope tasks_;  // last: it ends first
};

/// What each order begins with. The queue is younger than the executor: it ends first.
template <class Toolkit>
struct Program {
  /// Runs the loop, in which first this is called.
  template <class Function>
  void run(Function function) {
    callbacks.spawn(call(function));
    toolkit.run();
  }
  template <class Function>
  toto::Task<> call(Function function) {
    function();
    toolkit.quit();
    co_return;
  }
  bool shown() const { return record.text == "loaded in the background" && record.on == std::this_thread::get_id(); }
  bool shown_never() const { return record.text.empty() && record.frames == 0; }

  Toolkit toolkit;
  Record record;
  Work work;
  std::optional<toto::TaskQueue> queue{std::in_place, 1};
  toto::TaskScope callbacks{toolkit.executor()};
  std::unique_ptr<Window<Toolkit>> window = std::make_unique<Window<Toolkit>>(toolkit, *queue, record);
};

template <class Toolkit>
void run_every_order() {
  {
    Program<Toolkit> program;
    program.work.end();
    program.window->fill(program.work);
    program.toolkit.run();
    expect(program.shown(), "a coroutine of the window is back on the window's thread after a task");
  }
  {
    Program<Toolkit> program;
    program.work.end();
    program.window->fill_from_the_queue(program.work);
    program.toolkit.run();
    expect(program.shown(), "and after it has moved to the queue and back");
  }
  {
    Program<Toolkit> program;
    program.window->fill(program.work);
    program.window.reset();
    program.run([] {});
    expect(program.shown_never(), "the window ends before its coroutine begins");
  }
  {
    Program<Toolkit> program;
    program.window->fill(program.work);
    program.run([&] {
      program.work.wait_until_begun();
      program.window.reset();
    });
    program.work.end();
    program.queue.reset();
    program.run([] {});
    expect(program.shown_never(), "the window ends while its task runs");
  }
  {
    Program<Toolkit> program;
    Work before;
    program.queue->add_task(&Work::load, std::ref(before));
    program.window->fill(program.work);
    program.run([&] { program.window.reset(); });
    before.end();
    program.work.end();
    program.queue.reset();
    program.run([] {});
    expect(program.shown_never(), "the window ends while its task is queued");
  }
  {
    Program<Toolkit> program;
    program.window->fill(program.work);
    program.run([&] {
      program.work.end();
      program.queue->wait_idle();  // the coroutine is on its way
      program.window.reset();
    });
    program.run([] {});
    expect(program.shown_never(), "the window ends when its task is over and its coroutine not yet back");
  }
  {
    Program<Toolkit> program;
    program.window->fill_from_the_queue(program.work);
    program.run([&] {
      program.work.wait_until_begun();
      program.window.reset();
    });
    program.work.end();
    program.queue->wait_idle();
    program.run([] {});
    expect(program.shown_never(), "the window ends while its coroutine runs on the queue");
  }
  {
    Program<Toolkit> program;
    program.window->fill(program.work);
    program.run([&] { program.work.wait_until_begun(); });
    program.work.end();
    program.queue->wait_idle();
    expect(program.record.text.empty(), "nothing of the window runs on the queue while nobody runs the loop");
    program.toolkit.run();
    expect(program.shown(), "it is there when the loop runs again");
  }
  {
    Program<Toolkit> program;
    program.window->fill(program.work);
    program.run([&] { program.work.wait_until_begun(); });
    program.work.end();
    program.queue.reset();
    expect(program.record.frames == 1, "the queue ends first, the coroutine is on its way");
    program.toolkit.run();
    expect(program.shown(), "and comes to the window, which is still there");
  }
  for (const bool is_over : {false, true}) {
    Record record;
    {
      Program<Toolkit> program;
      program.window = std::make_unique<Window<Toolkit>>(program.toolkit, *program.queue, record);
      program.window->fill(program.work);
      program.run([&] { program.work.wait_until_begun(); });
      if (is_over) {
        program.work.end();
        program.queue->wait_idle();  // the coroutine is on its way, and will not come
      }
      program.window.reset();
      program.work.end();
    }
    expect(record.text.empty() && record.frames == 0, "the loop ends first; then window, queue and executor");
  }
}

#endif  // TOTO_EXAMPLES_TOOLKIT_HPP
