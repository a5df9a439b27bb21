// SPDX-License-Identifier: MIT
//
// PooledInstance: a place in a pool, with the instance in it, if there is one now. Read next: pool_core.hpp.

#ifndef TOTO_DETAIL_POOL_POOL_PLACE_HPP
#define TOTO_DETAIL_POOL_POOL_PLACE_HPP

#include <memory>
#include <new>
#include <type_traits>

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

/// `Owner` is T, T* (not owned), or a smart pointer to one.
template <class T, class Owner, class Runtime>
class OwnedInstance final : public PooledInstance<Runtime> {
 public:
  OwnedInstance() noexcept {}
  ~OwnedInstance() override {
    if (this->object != nullptr) {
      owner_.~Owner();
    }
  }

  /// Constructs the owner in place from what `make()` returns; what that points to may be null: then the place stays
  /// vacant.
  template <class Make>
  void emplace(Make&& make) {
    ::new (static_cast<void*>(std::addressof(owner_))) Owner(make());
    T* instance = nullptr;
    if constexpr (std::is_same_v<Owner, std::remove_cv_t<T>>) {
      instance = std::addressof(owner_);
    } else {
      instance = std::to_address(owner_);
    }
    if (instance == nullptr) {
      owner_.~Owner();
    }
    this->object = const_cast<void*>(static_cast<const volatile void*>(instance));
  }

  void clear() noexcept override {
    this->object = nullptr;
    owner_.~Owner();
  }

 private:
  union {
    Owner owner_;
  };
};

}  // namespace toto::inline v0_1::detail

#endif  // TOTO_DETAIL_POOL_POOL_PLACE_HPP
