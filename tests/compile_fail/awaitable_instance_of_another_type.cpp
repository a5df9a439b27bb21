// SPDX-License-Identifier: MIT
//
// What is wrapped is neither an object of the type that was named nor an owner of one.
// covers: [P1][U5]
// each: WEAK SHARED LVALUE VALUE
// expect: an AwaitableInstance<T> is made from a T

#include <toto/tasks.hpp>

#include <memory>

struct Base {
  int value = 0;
};
struct Other {};

void use(std::weak_ptr<Other> observed, std::shared_ptr<Other> owned, Other& other, toto::TaskQueue& queue) {
#if defined(WEAK)
  toto::AwaitableInstance<Base> instance(observed, queue);
#elif defined(SHARED)
  toto::AwaitableInstance<Base> instance(owned, queue);
#elif defined(LVALUE)
  toto::AwaitableInstance<Base> instance(other, queue);
#elif defined(VALUE)
  toto::AwaitableInstance<Base> instance(Other{}, queue);
#endif
  instance(&Base::value).detach();
}
