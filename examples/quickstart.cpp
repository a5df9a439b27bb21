// SPDX-License-Identifier: MIT
//
// The examples of the original documentation (Python's toto.tasks), line by line in C++. A compiler is all you
// need:
//
//   c++ -std=c++20 -Iinclude examples/quickstart.cpp -pthread -o quickstart && ./quickstart

#include <iostream>
#include <string>
#include <toto/tasks.hpp>
#include <utility>

// --- TaskQueue
// ---------------------------------------------------------------------------------------------------

int add(int arg1, int arg2) {
  return arg1 + arg2;
}

toto::Task<> caller() {
  int value = co_await toto::TaskQueue::instance("myqueue").yield_task(add, 1, 2);
  std::cout << value << '\n';  // prints 3
}

// --- AwaitableInstance
// -------------------------------------------------------------------------------------------

class MyClass {
 public:
  std::string do_something(const std::string& arg) { return "did something with " + arg; }
  std::string do_something_else() { return "did something else"; }
};

// do_something() is called on a TaskQueue, and its result is awaited.
toto::Task<> await_an_instance() {
  toto::AwaitableInstance awaitable(MyClass{});
  std::string result = co_await awaitable(&MyClass::do_something, "args");
  std::cout << result << '\n';
}

// --- InstancePool
// ------------------------------------------------------------------------------------------------

toto::Task<> use_a_pool() {
  toto::InstancePool pool(MyClass{});

  // Removes an instance from the pool, invokes the method, returns the instance to the pool.
  std::cout << pool(&MyClass::do_something, "a pool") << '\n';

  // with pool.instance() as i: removes an instance from the pool, calls two methods on it, returns it.
  {
    auto i = pool.instance();
    std::cout << i->do_something("a lease") << '\n';
    std::cout << i->do_something_else() << '\n';
  }

  // Calls a function with an instance from the pool; returns its result.
  auto in_a_transaction = [](MyClass& i) { return i.do_something("a transaction"); };
  std::cout << pool.transaction(in_a_transaction) << '\n';

  // The same on a TaskQueue: awaited, or not.
  std::cout << co_await pool.await_transaction(in_a_transaction) << '\n';
  pool.async_transaction([](MyClass& i) { i.do_something_else(); });

  // An AwaitableInstance that wraps the pool.
  std::cout << co_await pool.await()(&MyClass::do_something, "an awaitable pool") << '\n';
}

int main() {
  toto::EventLoop loop;
  loop.run_sync(caller());
  loop.run_sync(await_an_instance());
  loop.run_sync(use_a_pool());
}
