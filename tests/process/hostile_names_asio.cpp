// SPDX-License-Identifier: MIT
//
// covers: [R11]
//
// toto/asio.hpp with results, exceptions and completion handlers from a namespace that has functions and operators of
// all names, deleted; see hostile_names.cpp.
//
// nothing precompiled: the headers have to read what is defined before them

#include <asio.hpp>
#include <exception>
#include <stdexcept>
#include <toto/asio.hpp>
#include <toto/tasks.hpp>
#include <utility>

#include "support/expect.hpp"
#include "support/hostile_names.hpp"

namespace hostile {

struct Value {
  int number = 0;
};
struct Failure : std::exception {};
struct Twice {
  Value operator()(int number) const { return Value{2 * number}; }
};
struct Fail {
  Value operator()() const { throw Failure(); }
};

/// With its own executor, cancellation slot and allocator.
struct Handler {
  using executor_type = asio::io_context::executor_type;
  using cancellation_slot_type = asio::cancellation_slot;
  using allocator_type = std::allocator<Value>;

  executor_type executor;
  cancellation_slot_type slot;
  int* got;

  executor_type get_executor() const noexcept { return executor; }
  cancellation_slot_type get_cancellation_slot() const noexcept { return slot; }
  allocator_type get_allocator() const noexcept { return {}; }
  void operator()(std::exception_ptr failure, Value value) { *got += failure ? -1 : value.number; }
};
struct VoidHandler {
  int* got;
  void operator()(std::exception_ptr) const { ++*got; }
};

inline asio::awaitable<Value> wait_for(toto::TaskHandle<Value> handle) {
  co_return co_await toto::async_get(std::move(handle), asio::use_awaitable);
}

}  // namespace hostile

using namespace toto_tests;

int main() {
  toto::TaskQueue queue;
  asio::io_context context;
  asio::cancellation_signal signal;
  int got = 0;
  toto::async_get(queue.yield_task(hostile::Twice(), 2),
                  hostile::Handler{context.get_executor(), signal.slot(), std::addressof(got)});
  context.run();
  expect(got == 4, "a handler gets a result");

  context.restart();
  toto::async_get(queue.yield_task(hostile::Fail()),
                  hostile::Handler{context.get_executor(), signal.slot(), std::addressof(got)});
  context.run();
  expect(got == 3, "a handler gets an exception");

  context.restart();
  toto::async_get(queue.yield_task([] {}), asio::bind_executor(context, hostile::VoidHandler{&got}));
  context.run();
  expect(got == 4, "a handler gets nothing");

  context.restart();
  asio::co_spawn(context, hostile::wait_for(queue.yield_task(hostile::Twice(), 3)),
                 [&got](std::exception_ptr, hostile::Value value) { got = value.number; });
  context.run();
  expect(got == 6, "a coroutine of Asio gets a result");
  return failures == 0 ? 0 : 1;
}
