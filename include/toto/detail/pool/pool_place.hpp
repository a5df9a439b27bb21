// SPDX-License-Identifier: MIT
//
// PooledInstance: a place in a pool, with the instance in it, if there is one now. Read next: pool_core.hpp.

#ifndef TOTO_DETAIL_POOL_POOL_PLACE_HPP
#define TOTO_DETAIL_POOL_POOL_PLACE_HPP

#include "../ground/object_ref.hpp"
#include "../task/permits.hpp"

namespace toto::inline v0_1::detail {

/// It is in exactly one of its pool's lists; whoever holds it uses `object`, alone.
template <class Runtime>
class PooledInstance : public Permit<Runtime> {
 public:
  virtual ~PooledInstance() = default;

  /// Destroys the instance; the place is vacant then.
  virtual void clear() noexcept = 0;

  /// The instance; null: the place is vacant.
  void* object = nullptr;
  /// How many exceptions were under way on the thread that lent it. Used by the holder; pools with on_return only.
  int exceptions = 0;
  /// In a pool that retires, while it is free. Guarded by the pool's mutex.
  typename Runtime::Clock::time_point free_since{};
};

template <class T, class Owner, class Runtime>
class OwnedInstance final : public PooledInstance<Runtime> {
 public:
  ~OwnedInstance() override {
    if (this->object != nullptr) {
      clear();
    }
  }
  /// What `make()` returns owns the instance; if it is null, the place stays vacant.
  template <class Make>
  void fill(Make&& make) {
    this->object = const_cast<void*>(static_cast<const volatile void*>(room_.fill(make)));
  }
  void clear() noexcept override {
    this->object = nullptr;
    room_.empty();
  }

 private:
  ObjectRoom<T, Owner> room_;
};

}  // namespace toto::inline v0_1::detail

#endif  // TOTO_DETAIL_POOL_POOL_PLACE_HPP
