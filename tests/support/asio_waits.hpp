// SPDX-License-Identifier: MIT
//
// What async_get promises, for Asio as for Boost.Asio. The file that includes this has included one of them, and calls
// it `net`.

#ifndef TOTO_TESTS_SUPPORT_ASIO_WAITS_HPP
#define TOTO_TESTS_SUPPORT_ASIO_WAITS_HPP

#include <atomic>
#include <chrono>
#include <cstdio>
#include <exception>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <toto/asio.hpp>
#include <toto/tasks.hpp>
#include <utility>
#include <vector>

#include "support/expect.hpp"
#include "support/gate.hpp"
#include "support/sanitizers.hpp"

/// A completion token that looks at the initiation, as adapters of Asio's do that need an executor of their own.
struct LookAtInitiation {};

template <class... Signatures>
struct net::async_result<LookAtInitiation, Signatures...> {
  template <class Initiation, class... Args>
  static net::system_executor initiate(Initiation&& initiation, LookAtInitiation, Args&&...) {
    static_assert(
        std::is_same_v<typename std::decay_t<Initiation>::executor_type, decltype(initiation.get_executor())>);
    static_assert(std::is_copy_constructible_v<std::decay_t<Initiation>>);
    return initiation.get_executor();
  }
};

namespace {

using namespace std::chrono_literals;
using namespace toto_tests;

/// What the exception is: "no", "cancelled", or its text.
std::string text_of(const std::exception_ptr& failure) {
  try {
    if (failure) {
      std::rethrow_exception(failure);
    }
    return "no";
  } catch (const toto::TaskCancelled&) {
    return "cancelled";
  } catch (const std::exception& error) {
    return error.what();
  }
}

/// Says that it was destroyed, as a capture of a handler.
using Owned = std::shared_ptr<int>;

net::awaitable<void> use_results(toto::TaskQueue& queue) {
  const auto io_thread = std::this_thread::get_id();
  const int value = co_await toto::async_get(queue.yield_task([] { return 42; }), net::use_awaitable);
  expect(value == 42, "a coroutine gets the result");
  expect(std::this_thread::get_id() == io_thread, "on its own thread");
  auto moved = queue.yield_task([] { return std::make_unique<int>(7); });
  const std::unique_ptr<int> owner = co_await toto::async_get(moved, net::use_awaitable);
  expect(owner != nullptr && *owner == 7, "a result that can only be moved");
  co_await toto::async_get(queue.yield_task([] {}), net::use_awaitable);
  auto named = queue.yield_task([text = std::string(100, 'x')] { return text.size(); });
  expect(co_await toto::async_get(named, net::use_awaitable) == 100 && !named.valid(), "a handle that was stored");
  std::string failure;
  try {
    co_await toto::async_get(queue.yield_task([]() -> int { throw std::runtime_error("no disk"); }),
                             net::use_awaitable);
  } catch (const std::runtime_error& error) {
    failure = error.what();
  }
  expect(failure == "no disk", "what the task threw");
}

void coroutines() {
  net::io_context io;
  toto::TaskQueue queue(2);
  std::exception_ptr failure = std::make_exception_ptr(std::runtime_error("did not end"));
  net::co_spawn(io, use_results(queue), [&](std::exception_ptr ended) { failure = ended; });
  io.run();
  expect(text_of(failure) == "no", "the coroutine ends, and with it run()");
}

void callbacks() {
  net::io_context io;
  Gate gate;
  toto::TaskQueue queue;
  auto ready = queue.yield_task([] { return 1; });
  ready.wait();
  int got = 0;
  toto::async_get(std::move(ready), net::bind_executor(io, [&](std::exception_ptr, int result) { got = result; }));
  expect(got == 0, "a handler is not called within async_get, if the task is over");
  io.run();
  expect(got == 1, "but on its executor");

  toto::async_get(queue.yield_task([&] { gate.wait(); }), net::bind_executor(io, [&](std::exception_ptr) { got = 2; }));
  io.restart();
  expect(io.poll() == 0 && !io.stopped(), "what waits for a task is outstanding work");
  gate.open();
  io.run();
  expect(got == 2, "until its handler was called");

  toto::async_get(queue.yield_task([] {}), net::bind_executor(io, [](std::exception_ptr) { throw std::string("x"); }));
  io.restart();
  bool thrown = false;
  try {
    io.run();
  } catch (const std::string&) {
    thrown = true;
  }
  expect(thrown, "what a handler throws leaves run()");

  toto::TaskHandle<int> empty;
  thrown = false;
  try {
    toto::async_get(std::move(empty), net::bind_executor(io, [](std::exception_ptr, int) {}));
  } catch (const toto::NoState&) {
    thrown = true;
  }
  expect(thrown, "a handle without a task is refused");
  expect(toto::async_get(queue.yield_task([] { return 3; }), net::use_future).get() == 3, "a future");
}

/// What the handler gets if its task is cancelled with that type: while it waits in the queue, or while it runs and
/// looks at its token.
std::string cancelled_with(net::cancellation_type type, bool running) {
  net::io_context io;
  Gate gate;
  Gate begun;
  toto::TaskQueue queue;
  if (!running) {
    queue.add_task([&] { gate.wait(); });
  }
  auto handle = queue.yield_task([&](const toto::StopToken& token) {
    begun.open();
    gate.wait();
    return token.stop_requested() ? 1 : 2;
  });
  if (running) {
    begun.wait();
  }
  net::cancellation_signal signal;
  std::string told = "nothing";
  toto::async_get(std::move(handle),
                  net::bind_cancellation_slot(signal.slot(), net::bind_executor(io, [&](auto failure, int result) {
                                                told = failure ? text_of(failure) : result == 1 ? "stopped" : "ran";
                                              })));
  signal.emit(type);
  gate.open();
  io.run();
  signal.emit(type);  // too late, and harmless
  return told;
}

void cancelling() {
  using Type = net::cancellation_type;
  expect(cancelled_with(Type::total, false) == "cancelled", "total: a task that has not begun is cancelled");
  expect(cancelled_with(Type::terminal, false) == "cancelled", "terminal: and so it is");
  expect(cancelled_with(Type::total, true) == "ran", "total: a task that runs is left alone");
  expect(cancelled_with(Type::partial, true) == "stopped", "partial: it is asked to stop");
  expect(cancelled_with(Type::terminal, true) == "stopped", "terminal: it is asked to stop");
}

net::awaitable<void> give_up(toto::TaskQueue& queue, std::size_t& first) {
  using namespace net::experimental::awaitable_operators;
  net::steady_timer timer(co_await net::this_coro::executor, 1ms);
  auto handle = queue.yield_task([](const toto::StopToken& token) {
    while (!token.stop_requested()) {
      std::this_thread::yield();
    }
  });
  const auto ended =
      co_await (toto::async_get(std::move(handle), net::use_awaitable) || timer.async_wait(net::use_awaitable));
  first = ended.index();
}

void operators() {
  net::io_context io;
  toto::TaskQueue queue;
  std::size_t first = 7;
  net::co_spawn(io, give_up(queue, first), net::detached);
  io.run();
  expect(first == 1, "a timer is over first, and the task was asked to stop");
}

net::awaitable<void> wait_for_ever(toto::TaskQueue& queue, Gate& gate, Owned) {
  auto handle = queue.yield_task([&] { gate.wait(); });
  co_await toto::async_get(std::move(handle), net::use_awaitable);
}

/// Starts a wait when it is destroyed.
template <class Executor>
class StartsAnother {
 public:
  StartsAnother(toto::TaskQueue& queue, Gate& gate, Executor executor, Owned owned)
      : queue_(queue), gate_(gate), executor_(std::move(executor)), owned_(std::move(owned)) {}
  StartsAnother(StartsAnother&&) = default;
  StartsAnother& operator=(StartsAnother&&) = delete;
  ~StartsAnother() {
    if (owned_) {
      auto handle = queue_.yield_task([&gate = gate_] { gate.wait(); });
      toto::async_get(std::move(handle),
                      net::bind_executor(executor_, [kept = std::move(owned_)](std::exception_ptr) {}));
    }
  }
  void operator()() const {}
  void operator()(std::exception_ptr) const {}

 private:
  toto::TaskQueue& queue_;
  Gate& gate_;
  Executor executor_;
  Owned owned_;
};

/// `executor_of(io)` is the executor of the handlers.
template <class ExecutorOf>
void destroyed_contexts(const std::string& kind, ExecutorOf executor_of) {
  const Owned owned = std::make_shared<int>(1);
  Gate gate;
  net::cancellation_signal signal;
  toto::TaskQueue queue(2);
  std::promise<std::string> reported;
  queue.on_error(
      [&](const std::exception_ptr& failure, const toto::TaskInfo&) { reported.set_value(text_of(failure)); });
  {
    net::io_context io;
    const auto executor = executor_of(io);
    auto handle = queue.yield_task([&] {
      gate.wait();
      throw std::runtime_error("unseen");
    });
    toto::async_get(
        std::move(handle),
        net::bind_cancellation_slot(signal.slot(), net::bind_executor(executor, [owned](std::exception_ptr) {})));
    auto another = queue.yield_task([&] { gate.wait(); });
    toto::async_get(std::move(another), net::bind_executor(executor, StartsAnother(queue, gate, executor, owned)));
  }
  expect(owned.use_count() == 1, kind + ": a context that is destroyed takes the handlers along that wait for tasks");
  signal.emit(net::cancellation_type::terminal);
  gate.open();
  expect(reported.get_future().get() == "unseen", kind + ": the tasks run on, and a failure is reported");
  {
    net::io_context io;
    const auto executor = executor_of(io);
    auto handle = queue.yield_task([] { return 1; });
    handle.wait();
    toto::async_get(std::move(handle), net::bind_executor(executor, [owned](std::exception_ptr, int) {}));
    queue.wait_idle();
  }
  expect(owned.use_count() == 1, kind + ": and handlers that were posted and have not run");
  Gate closed;
  {
    net::io_context io;
    net::post(io, StartsAnother(queue, closed, executor_of(io), owned));
  }
  expect(owned.use_count() == 1, kind + ": and those that are started meanwhile");
  closed.open();
  queue.wait_idle();
}

void destroyed_contexts() {
  destroyed_contexts("io_context", [](net::io_context& io) { return io.get_executor(); });
  destroyed_contexts("strand", [](net::io_context& io) { return net::make_strand(io); });
  destroyed_contexts("strand made later", [](net::io_context& io) {
    toto::TaskQueue queue;
    toto::async_get(queue.yield_task([] {}), net::bind_executor(io, [](std::exception_ptr) {}));
    return net::make_strand(io);
  });
  destroyed_contexts("io_context::strand", [](net::io_context& io) { return net::io_context::strand(io); });
  destroyed_contexts("any_io_executor", [](net::io_context& io) { return net::any_io_executor(net::make_strand(io)); });

  const Owned owned = std::make_shared<int>(1);
  Gate gate;
  toto::TaskQueue queue;
  {
    net::io_context io;
    net::co_spawn(net::make_strand(io), wait_for_ever(queue, gate, owned), net::detached);
    io.poll();
  }
  expect(owned.use_count() == 1, "and coroutines");
  gate.open();
}

/// The queue's thread finishes tasks while their context is being destroyed.
void races() {
  const Owned owned = std::make_shared<int>(1);
  toto::TaskQueue queue(2);
  std::atomic<int> called{0};
  const int rounds = scaled(2'000, 200);
  for (int round = 0; round < rounds; ++round) {
    net::io_context io;
    std::vector<std::unique_ptr<net::cancellation_signal>> signals;
    for (int i = 0; i < 8; ++i) {
      signals.push_back(std::make_unique<net::cancellation_signal>());
      toto::async_get(
          queue.yield_task([] {}),
          net::bind_cancellation_slot(signals.back()->slot(),
                                      net::bind_executor(io, [owned, &called](std::exception_ptr) { ++called; })));
    }
    if (round % 2 == 0) {
      for (const auto& signal : signals) {
        signal->emit(net::cancellation_type::terminal);
      }
    }
    if (round % 4 < 2) {
      io.poll();
    }
  }
  queue.wait_idle();
  expect(owned.use_count() == 1, "handlers are called or destroyed, " + std::to_string(called) + " of " +
                                     std::to_string(rounds * 8) + " were called");
}

/// A user's own context, whose executor locks a mutex of the user's.
class OwnContext : public net::execution_context {
 public:
  class Executor {
   public:
    explicit Executor(OwnContext& context) : context_(&context) {}
    net::execution_context& query(net::execution::context_t) const noexcept { return *context_; }
    static constexpr net::execution::blocking_t query(net::execution::blocking_t) noexcept {
      return net::execution::blocking.never;
    }
    Executor require(net::execution::blocking_t::never_t) const { return *this; }
    template <class Function>
    void execute(Function function) const {
      auto shared = std::make_shared<Function>(std::move(function));
      context_->posting.open();
      const std::lock_guard lock(context_->mutex);
      context_->functions.emplace_back([shared] { std::move (*shared)(); });
    }
    friend bool operator==(const Executor&, const Executor&) noexcept = default;

   private:
    OwnContext* context_;
  };

  ~OwnContext() {
    shutdown();
    destroy();
  }

  Gate posting;
  std::mutex mutex;
  std::vector<std::function<void()>> functions;
};

void own_contexts() {
  OwnContext context;
  Gate awaited;
  toto::TaskQueue queue(1);
  int called = 0;
  const auto wait = [&](auto task) {
    toto::async_get(queue.yield_task(std::move(task)),
                    net::bind_executor(OwnContext::Executor(context), [&](std::exception_ptr) { ++called; }));
  };
  wait([&awaited] { awaited.wait(); });  // not over before it is waited for: the queue's thread hands it over
  {
    const std::lock_guard lock(context.mutex);
    awaited.open();
    context.posting.wait();
    wait([] {});  // with the mutex held for which the queue's thread waits
  }
  queue.wait_idle();
  for (const auto& function : context.functions) {
    function();
  }
  expect(called == 2, "no lock is held while an executor is given a handler");
}

/// What main() has made Asio make ends before these, in the reverse order: the gate opens, the queue waits for its
/// tasks.
toto::TaskQueue older_than_asio;
struct OpensAtExit {
  Gate gate;
  ~OpensAtExit() { gate.open(); }
} at_exit;

void without_executor() {
  toto::TaskQueue queue;
  std::promise<void> called;
  toto::async_get(queue.yield_task([] {}), [&](std::exception_ptr) { called.set_value(); });
  called.get_future().get();
  toto::async_get(queue.yield_task([] {}), net::detached);
  {
    auto handle = queue.yield_task([] {});
    net::cancellation_signal gone;
    toto::async_get(std::move(handle), net::bind_cancellation_slot(gone.slot(), net::detached));
  }
  queue.wait_idle();
  expect(true, "a handler needs neither an executor nor a signal that lives on");

  // Still waiting when the process ends, and with it Asio's own context.
  auto late = older_than_asio.yield_task([gate = at_exit.gate]() mutable { gate.wait(); });
  toto::async_get(late, net::use_future);
}

#if (defined(ASIO_VERSION) && ASIO_VERSION >= 103100) || (defined(BOOST_ASIO_VERSION) && BOOST_ASIO_VERSION >= 103100)
net::awaitable<void> give_up(toto::TaskQueue& queue) {
  const auto stopped = [](toto::StopToken token) {
    while (!token.stop_requested()) {
      std::this_thread::yield();
    }
    return 7;
  };
  expect(co_await toto::async_get(queue.yield_task(stopped), net::cancel_after(1ms, net::use_awaitable)) == 7,
         "cancel_after asks a task to stop that runs");
  net::steady_timer timer(co_await net::this_coro::executor);
  expect(co_await toto::async_get(queue.yield_task(stopped), net::cancel_after(timer, 1ms, net::use_awaitable)) == 7,
         "also with a timer of its own");
  const auto soon = std::chrono::steady_clock::now() + 1ms;
  expect(co_await toto::async_get(queue.yield_task(stopped), net::cancel_at(soon, net::use_awaitable)) == 7,
         "and so does cancel_at");
  expect(co_await toto::async_get(queue.yield_task([] { return 8; }), net::cancel_after(1h, net::use_awaitable)) == 8,
         "nothing is cancelled before its time");
}
#endif

void adapters() {
  toto::TaskQueue queue;
  expect(toto::async_get(queue.yield_task([] { return 1; }), LookAtInitiation()) == net::system_executor(),
         "an adapter finds the executor of handlers that have none");
#if (defined(ASIO_VERSION) && ASIO_VERSION >= 103100) || (defined(BOOST_ASIO_VERSION) && BOOST_ASIO_VERSION >= 103100)
  net::io_context io;
  std::exception_ptr failure = std::make_exception_ptr(std::runtime_error("did not end"));
  net::co_spawn(io, give_up(queue), [&](std::exception_ptr ended) { failure = ended; });
  io.run();
  expect(text_of(failure) == "no", "a coroutine with limits of time ends");
#endif
}

/// Several threads run the context; each session has its own strand.
net::awaitable<void> session(toto::TaskQueue& queue, int rounds, std::atomic<int>& total) {
  for (int i = 0; i < rounds; ++i) {
    total += co_await toto::async_get(queue.yield_task([] { return 1; }), net::use_awaitable);
  }
}

void many() {
  toto::TaskQueue queue(2);
  std::atomic<int> total{0};
  const int rounds = scaled(500, 50);
  net::thread_pool pool(2);
  for (int i = 0; i < 20; ++i) {
    net::co_spawn(net::make_strand(pool), session(queue, rounds, total), net::detached);
  }
  pool.join();
  expect(total == 20 * rounds, "twenty sessions on two threads get each result once");
}

int failures_of_waits() {
  coroutines();
  callbacks();
  cancelling();
  operators();
  destroyed_contexts();
  own_contexts();
  without_executor();
  adapters();
  races();
  many();
  return failures;
}

}  // namespace

#endif  // TOTO_TESTS_SUPPORT_ASIO_WAITS_HPP
