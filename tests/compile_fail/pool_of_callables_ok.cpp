// SPDX-License-Identifier: MIT
//
// A factory and a number; and callables that are meant to be the instances themselves: of a class with a name, in a
// range, or where T says so.
// covers: [Q20]

#include <toto/tasks.hpp>

#include <functional>
#include <memory>
#include <utility>
#include <vector>

struct Row {
  int value = 0;
};

class Cursor {
 public:
  std::unique_ptr<Row> operator()() { return ++calls_, std::make_unique<Row>(); }
  int calls() const { return calls_; }

 private:
  int calls_ = 0;
};

int use(std::vector<std::function<int()>> functions, int* counted) {
  toto::InstancePool made([] { return Row(); }, 2);
  toto::InstancePool cursors(Cursor{});
  toto::InstancePool cursor_list({Cursor(), Cursor()});
  toto::InstancePool range(std::move(functions));
  const auto count = [counted] { return ++*counted; };
  toto::InstancePool<std::remove_const_t<decltype(count)>> insisted(count);
  toto::InstancePool told([](Row& row) { return row.value; });  // no factory: it takes an argument
  return made(&Row::value) + cursors(&Cursor::calls) + cursor_list(&Cursor::calls) +
         range([](std::function<int()>& function) { return function(); }) + insisted([](auto& f) { return f(); });
}
