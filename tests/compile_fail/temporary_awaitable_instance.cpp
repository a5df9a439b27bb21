// SPDX-License-Identifier: MIT
//
// A temporary that owns something, in a call through an AwaitableInstance.
// covers: [G24]
// only: gcc<13
// each: CLOSURE AGGREGATE ARGUMENT CONCURRENT
// expect: store the handle first

#include <toto/tasks.hpp>

#include <string>

struct Service {
  std::size_t length(const std::string& text) { return text.size(); }
};
struct Append {
  std::string suffix;
  std::size_t operator()(Service& service) const { return service.length(suffix); }
};
std::size_t length(Service& service, const Append& append) {
  return append(service);
}

toto::Task<> use(toto::AwaitableInstance<Service>& awaitable, std::string text) {
#if defined(CLOSURE)
  co_await awaitable([text](Service& service) { return service.length(text); });
#elif defined(AGGREGATE)
  co_await awaitable(Append{text});
#elif defined(ARGUMENT)
  co_await awaitable(length, Append{text});
#elif defined(CONCURRENT)
  co_await awaitable.concurrent()([text](Service& service) { return service.length(text); });
#endif
}
