// SPDX-License-Identifier: MIT
//
// A temporary that owns something, as a transaction.
// covers: [G24]
// only: gcc<13
// each: CLOSURE AGGREGATE
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

toto::Task<> use(toto::InstancePool<Service>& pool, std::string text) {
#if defined(CLOSURE)
  co_await pool.await_transaction([text](Service& service) { return service.length(text); });
#elif defined(AGGREGATE)
  co_await pool.await_transaction(Append{text});
#endif
}
