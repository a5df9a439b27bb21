// SPDX-License-Identifier: MIT
//
// Shared ownership that the runtime policy can see: std::shared_ptr counts with its own atomics, which a simulator
// would miss. Access: how the library reaches into what it gives to users.

#ifndef TOTO_DETAIL_GROUND_REF_HPP
#define TOTO_DETAIL_GROUND_REF_HPP

#include <atomic>
#include <cstddef>
#include <type_traits>
#include <utility>

#include "annotations.hpp"

namespace toto::inline v0_1::detail {

/// Base of an object that counts its owners and deletes itself with the last one. Starts with one owner.
template <class Runtime>
class RefCounted {
 public:
  RefCounted(const RefCounted&) = delete;
  RefCounted& operator=(const RefCounted&) = delete;

  /// Thread-safe.
  void retain(std::size_t owners = 1) noexcept {
    owners_.fetch_add(owners, std::memory_order_relaxed);  // the caller is an owner: nothing to order
  }

  /// Thread-safe. The object is gone after the last owner's call.
  void release(std::size_t owners = 1) noexcept {
    // acq_rel pairs with itself: whatever every former owner did happens before the deletion.
    if (owners_.fetch_sub(owners, std::memory_order_acq_rel) == owners) {
      delete this;
    }
  }

 protected:
  RefCounted() noexcept = default;
  virtual ~RefCounted() = default;

 private:
  typename Runtime::template Atomic<std::size_t> owners_{1};
};

/// One owner of a RefCounted object, or none.
template <class T>
class Ref {
 public:
  Ref() noexcept = default;
  /// Takes over a reference that the caller owns.
  static Ref adopt(T* object) noexcept {
    Ref ref;
    ref.object_ = object;
    return ref;
  }
  /// Becomes another owner.
  static Ref share(T* object) noexcept {
    if (object != nullptr) {
      object->retain();
    }
    return adopt(object);
  }
  Ref(const Ref& other) noexcept : Ref(share(other.object_)) {}
  template <class Derived>
    requires std::is_convertible_v<Derived*, T*>
  explicit Ref(const Ref<Derived>& other) noexcept : Ref(share(other.get())) {}
  Ref(Ref&& other) noexcept : object_(std::exchange(other.object_, nullptr)) {}
  Ref& operator=(Ref other) noexcept {
    std::swap(object_, other.object_);
    return *this;
  }
  ~Ref() {
    if (object_ != nullptr) {
      object_->release();
    }
  }

  T* get() const noexcept { return object_; }
  T* operator->() const noexcept { return object_; }
  T& operator*() const noexcept { return *object_; }
  explicit operator bool() const noexcept { return object_ != nullptr; }
  friend bool operator==(const Ref&, const Ref&) noexcept = default;
  /// Gives up the reference without releasing it.
  T* leak() noexcept { return std::exchange(object_, nullptr); }

 private:
  T* object_ = nullptr;
};

/// A friend of the library's public classes, for the library itself.
struct Access {
  /// A T, made by its private constructor.
  template <class T, class... As>
  static T make(As&&... arguments) noexcept {
    return T(std::forward<As>(arguments)...);
  }
  template <class T>
  static const auto& core(const T& object) noexcept {
    return object.core_;
  }
  /// Takes the task out of a handle; null if there is none.
  template <class Handle>
  static auto take(Handle& handle) noexcept {
    return std::exchange(handle.state_, nullptr);
  }
};

}  // namespace toto::inline v0_1::detail

#endif  // TOTO_DETAIL_GROUND_REF_HPP
