// SPDX-License-Identifier: MIT
//
// A reference from a temporary lease would refer to an instance that is back in its pool.
// covers: [U5]
// expect: deleted
// each: REFERENCE POINTER AWAITED OPTIONAL

#include <toto/tasks.hpp>

struct Row {
  int value = 0;
};

toto::Task<> use(toto::InstancePool<Row>& pool) {
#if defined(REFERENCE)
  Row& row = *pool.instance();
#elif defined(POINTER)
  Row& row = *pool.instance().get();
#elif defined(AWAITED)
  Row& row = *co_await pool.lease();
#else
  Row& row = **pool.try_instance();
#endif
  row.value = 1;
  co_return;
}
