// SPDX-License-Identifier: MIT

#include <memory>
#include <toto/tasks.hpp>

int other_file();

int other_file() {
  toto::TaskQueue queue(2);
  toto::InstancePool<int> pool({std::make_shared<int>(1)});
  toto::EventLoop loop;
  int posted = 0;
  loop.post([&] { posted = 3; });
  loop.run();
  return queue.yield_task([] { return 4; }).get() + posted + pool.transaction([](int& value) { return value; });
}
