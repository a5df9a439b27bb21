// SPDX-License-Identifier: MIT
//
// A factory alone would be pooled itself: nobody wants one lambda, pointer to a function or std::function to be lent.
// covers: [Q20][U5]
// each: LAMBDA OWNER POINTER FUNCTION STD_FUNCTION OPTIONS
// expect: a factory needs the number of instances it may make

#include <toto/tasks.hpp>

#include <functional>
#include <memory>

struct Row {
  int value = 0;
};

Row make_row() {
  return {};
}

int use() {
#if defined(LAMBDA)
  toto::InstancePool pool([] { return Row(); });
#elif defined(OWNER)
  int made = 0;
  const auto make = [&made] { return ++made, std::make_unique<Row>(); };
  toto::InstancePool pool(make);
#elif defined(POINTER)
  toto::InstancePool pool(&make_row);
#elif defined(FUNCTION)
  toto::InstancePool pool(make_row);
#elif defined(STD_FUNCTION)
  toto::InstancePool pool(std::function<std::shared_ptr<Row>()>([] { return std::make_shared<Row>(); }));
#elif defined(OPTIONS)
  toto::InstancePool pool([] { return Row(); }, {.default_queue = "rows"});
#endif
  return pool(&Row::value);
}
