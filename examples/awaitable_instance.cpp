// SPDX-License-Identifier: MIT
//
// AwaitableInstance makes any object asynchronous: its methods are called on a queue, one at a time and in
// the order of the calls, so the object needs no lock of its own. Over a shared_ptr it keeps the object alive
// as long as a call is under way; over a weak_ptr it does not, and says so by InstanceGone.

#include <memory>
#include <string>
#include <toto/tasks.hpp>
#include <vector>

#include "expect.hpp"

/// Not thread-safe, and it does not have to be.
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

  expect(co_await awaitable(&Account::deposit, 10) == 10, "a method is called on the queue, its result awaited");

  // Calls never overlap, whatever the queue's thread count, and run in the order they were made.
  std::vector<toto::TaskHandle<int>> deposits;
  for (int i = 0; i < 100; ++i) {
    deposits.push_back(awaitable(&Account::deposit, 1));
  }
  expect(co_await awaitable(&Account::balance) == 110, "a call runs after those made before it");

  // Anything callable with the object will do.
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
  expect(gone, "and throws InstanceGone when it has died");
}

int main() {
  toto::EventLoop loop;
  loop.run_sync(use_an_account());
  loop.run_sync(outlive_the_account());
}
