// SPDX-License-Identifier: MIT
//
// GCC before 13 would destroy the captured text twice.
// only: gcc<13
// covers: [G24]
// expect: store the handle first

#include <toto/tasks.hpp>

#include <string>

struct Row {
  std::string text;
};

toto::Task<> use(toto::InstancePool<Row>& pool, std::string text) {
  co_await pool.await_transaction([text](Row& row) { row.text = text; });
}
