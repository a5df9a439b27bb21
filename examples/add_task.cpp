// SPDX-License-Identifier: MIT
//
// Fire and forget: add_task returns at once, the task runs on a worker of the queue, first in, first out.
// No one awaits the task, so an exception goes to the queue's on_error handler; the worker survives.

#include <exception>
#include <iostream>
#include <memory>
#include <stdexcept>
#include <string>
#include <toto/tasks.hpp>
#include <vector>

#include "expect.hpp"

class Journal {
 public:
  void note(const std::string& line) { lines_.push_back(line); }
  const std::vector<std::string>& lines() const { return lines_; }

 private:
  std::vector<std::string> lines_;
};

int main() {
  Journal journal;
  std::string complaint;

  toto::TaskQueue queue({.name = "journal"});  // one thread: tasks never overlap, so the journal needs no lock
  queue.on_error([&](const std::exception_ptr& error, const toto::TaskInfo&) {
    try {
      std::rethrow_exception(error);
    } catch (const std::exception& exception) {
      complaint = exception.what();
    }
  });

  queue.add_task([&] { journal.note("a lambda"); });
  queue.add_task(&Journal::note, &journal, "a member function and its arguments");
  queue.add_task([&](std::unique_ptr<int> number) { journal.note("moved here: " + std::to_string(*number)); },
                 std::make_unique<int>(42));
  queue.add_task([] { throw std::runtime_error("the disk is full"); });
  queue.add_task([&](std::vector<std::string> lines) { journal.note("after the failure, " + lines.at(0)); },
                 std::vector<std::string>{"life goes on"});

  queue.wait_idle();  // everything above has run

  for (const std::string& line : journal.lines()) {
    std::cout << "     " << line << '\n';
  }
  expect(journal.lines().size() == 4, "every task that did not throw left its note");
  expect(journal.lines().front() == "a lambda", "in the order of adding");
  expect(complaint == "the disk is full", "the exception went to on_error");
}
