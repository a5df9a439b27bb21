// SPDX-License-Identifier: MIT
//
// AwaitableInstance makes any object asynchronous: its methods run on a queue, one at a time and in the order
// in which they were called, so the object needs no lock. Made from an owner, it keeps the object alive; made
// from a weak_ptr, it does so only during a call, and a call that comes too late throws InstanceGone.

#include <memory>
#include <string>
#include <toto/tasks.hpp>
#include <vector>

#include "expect.hpp"

/// Not thread-safe, and need not be.
class Account {
 public:
  int deposit(int amount) { return balance_ += amount; }
  int balance() const { return balance_; }

 private:
  int balance_ = 0;
};

toto::Task<> use_an_account() {
  auto account = std::make_shared<Account>();
  toto::AwaitableInstance awaitable(account, "accounts");

  expect(co_await awaitable(&Account::deposit, 10) == 10, "a method runs on the queue, and its result is awaited");

  // Calls never overlap, whatever the queue's thread count, and run in the order in which they were made.
  std::vector<toto::TaskHandle<int>> deposits;
  for (int i = 0; i < 100; ++i) {
    deposits.push_back(awaitable(&Account::deposit, 1));
  }
  expect(co_await awaitable(&Account::balance) == 110, "a call runs after those made before it");

  // Anything that can be called with the object will do.
  auto doubled = awaitable([](Account& a) { return a.deposit(a.balance()); });
  expect(co_await doubled == 220, "a lambda as well as a method");
}

toto::Task<> outlive_the_account() {
  auto account = std::make_shared<Account>();
  toto::AwaitableInstance watching(std::weak_ptr<Account>(account), "accounts");
  expect(co_await watching(&Account::deposit, 1) == 1, "a weak_ptr works while the object lives");

  account.reset();
  bool gone = false;
  try {
    co_await watching(&Account::balance);
  } catch (const toto::InstanceGone&) {
    gone = true;
  }
  expect(gone, "and throws InstanceGone once it has been destroyed");
}

int main() {
  toto::EventLoop loop;
  loop.run_sync(use_an_account());
  loop.run_sync(outlive_the_account());
}
