// SPDX-License-Identifier: MIT
//
// What the simulator calls a failure: misuse of a primitive, a thread that is left over, code that runs under a lock.
// And what it lets the environment refuse: threads, memory.

#include "toto/testing/simulation.hpp"

#include <algorithm>
#include <functional>
#include <memory>
#include <new>
#include <optional>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "support/catch.hpp"

using namespace std::chrono_literals;
using toto::testing::allocation_should_fail;
using toto::testing::assert_no_lock_held;
using toto::testing::Exhaustive;
using toto::testing::require;
using toto::testing::SimRuntime;
using toto::testing::simulate;
using toto::testing::Simulation;
using toto::testing::SimulationOptions;
using toto::testing::SimulationResult;
using toto::testing::StartFaults;
using toto::testing::Time;
using toto_tests::contains;

namespace {

using Thread = SimRuntime::Thread;

// What is done wrong here on purpose, Clang's thread-safety analysis need not find before the simulator does.
class Mutex {
 public:
  constexpr Mutex() noexcept = default;
  void lock() TOTO_NO_THREAD_SAFETY_ANALYSIS { mutex_.lock(); }
  bool try_lock() TOTO_NO_THREAD_SAFETY_ANALYSIS { return mutex_.try_lock(); }
  void unlock() noexcept TOTO_NO_THREAD_SAFETY_ANALYSIS { mutex_.unlock(); }

 private:
  SimRuntime::Mutex mutex_;
};

std::string failure_of(const std::function<void(Simulation&)>& scenario) {
  return simulate({.strategy = Exhaustive{2}, .max_steps = 500}, scenario).failure;
}

// As a test's own operator new would.
void allocate() {
  if (allocation_should_fail()) {
    throw std::bad_alloc();
  }
}

int exits = 0;

}  // namespace

TEST_CASE("a thread that nobody joins or detaches is a leak", "[simulator]") {
  CHECK_THAT(failure_of([](Simulation&) { SimRuntime::global<Thread>() = Thread("lost", [] {}); }),
             contains("leaked thread: lost (2)"));
  CHECK_THAT(failure_of([](Simulation&) {
               auto& parker = SimRuntime::global<SimRuntime::Parker>();
               Thread("stuck", [&parker] { parker.park(); }).detach();
             }),
             contains("leaked thread: the scenario is over, but: main (1) waits for all others to end; "
                      "stuck (2) is parked on parker 1"));
  CHECK(failure_of([](Simulation& sim) { Thread("slow", [&] { sim.sleep_for(60s); }).detach(); }).empty());
}

TEST_CASE("a joinable thread may be neither destroyed nor assigned to", "[simulator]") {
  CHECK_THAT(failure_of([](Simulation&) { const Thread thread("t", [] {}); }), contains("destroyed while it is join"));
  CHECK_THAT(failure_of([](Simulation&) {
               Thread thread("t", [] {});
               thread = Thread();
             }),
             contains("assigned to while it is joinable"));
  CHECK_THAT(failure_of([](Simulation&) { Thread().join(); }), contains("not joinable"));
  CHECK(failure_of([](Simulation&) {
          Thread thread("t", [] {});
          Thread moved = std::move(thread);
          moved.join();
        }).empty());
}

TEST_CASE("a primitive must not be used after its destruction", "[simulator]") {
  // The memory stays: what is looked for is the use, not what an address sanitizer would find.
  alignas(16) static std::byte memory[64];
  const auto dead = [](auto use, auto* type) {
    using T = std::remove_pointer_t<decltype(type)>;
    return failure_of([use](Simulation&) {
      T* volatile object = new (memory) T();  // volatile: so that the compiler does not see what is wrong here
      object->~T();
      use(*object);
    });
  };
  CHECK_THAT(dead([](auto& mutex) { mutex.lock(); }, static_cast<Mutex*>(nullptr)),
             contains("a mutex is used after its destruction"));
  CHECK_THAT(dead([](auto& parker) { parker.unpark(); }, static_cast<SimRuntime::Parker*>(nullptr)),
             contains("a parker is used after its destruction"));
  CHECK_THAT(dead([](auto& atomic) { atomic.load(); }, static_cast<SimRuntime::Atomic<int>*>(nullptr)),
             contains("an atomic is used after its destruction"));
}

// The waiter destroys the state as soon as it sees that it is done; the notifier still needs the parker.
TEST_CASE("a wake-up behind the unlock that the waiter does not wait for is found", "[simulator]") {
  struct State {
    Mutex mutex;
    SimRuntime::Parker parker;
    bool done = false;
  };
  const auto with = [](bool wake_under_lock) {
    return failure_of([=](Simulation& sim) {
      alignas(State) static std::byte memory[sizeof(State)];
      auto* const state = new (memory) State;
      sim.run_threads({{"notifier",
                        [=] {
                          state->mutex.lock();
                          state->done = true;
                          if (wake_under_lock) {
                            state->parker.unpark();
                          }
                          state->mutex.unlock();
                          if (!wake_under_lock) {
                            state->parker.unpark();
                          }
                        }},
                       {"waiter", [=] {
                          for (bool done = false; !done;) {
                            state->mutex.lock();
                            done = state->done;
                            state->mutex.unlock();
                            if (!done) {
                              state->parker.park();
                            }
                          }
                          state->~State();
                        }}});
    });
  };
  CHECK(with(true).empty());
  CHECK_THAT(with(false), contains("a parker is used after its destruction"));
}

TEST_CASE("a mutex is misused in words", "[simulator]") {
  CHECK_THAT(failure_of([](Simulation&) {
               Mutex mutex;
               mutex.lock();
               mutex.lock();
             }),
             contains("main (1): mutex 1 is locked by the thread that holds it"));
  CHECK_THAT(failure_of([](Simulation&) { Mutex().unlock(); }), contains("a thread that did not hold it"));
  CHECK_THAT(failure_of([](Simulation&) {
               Mutex mutex;
               mutex.lock();
             }),
             contains("mutex 1 is destroyed while main (1) holds it"));
  CHECK_THAT(failure_of([](Simulation& sim) {
               Mutex mutex;
               sim.run_threads({{"holder", [&] { mutex.lock(); }}});
             }),
             contains("ended while it held a mutex"));
}

TEST_CASE("a parker is misused in words", "[simulator]") {
  CHECK_THAT(failure_of([](Simulation& sim) {
               std::optional<SimRuntime::Parker> parker(std::in_place);
               sim.run_threads({{"waiter", [&] { parker->park(); }}, {"destroyer", [&] { parker.reset(); }}});
             }),
             contains("parker 1 is destroyed while waiter (2) is parked on it"));
  CHECK_THAT(failure_of([](Simulation& sim) {
               SimRuntime::Parker parker;
               sim.run_threads({{"a", [&] { parker.park(); }}, {"b", [&] { parker.park(); }}});
             }),
             contains("two threads park on parker 1"));
}

TEST_CASE("a livelock ends at the step bound", "[simulator]") {
  CHECK_THAT(failure_of([](Simulation&) {
               for (const SimRuntime::Atomic<bool> flag{false}; !flag.load();) {
               }
             }),
             contains("livelock: no end after 500 operations"));
}

TEST_CASE("an exception that escapes is a failure with its text", "[simulator]") {
  CHECK_THAT(failure_of([](Simulation&) { throw std::runtime_error("oops"); }), contains("escaped: oops"));
  CHECK_THAT(failure_of([](Simulation& sim) { sim.run_threads({{"thrower", [] { throw 1; }}}); }),
             contains("thrower (2): an exception escaped that is not a std::exception"));
}

TEST_CASE("a deadlock report names the last point of each thread", "[simulator]") {
  const std::string failure = failure_of([](Simulation& sim) {
    Mutex mutex;
    sim.run_threads({{"holder",
                      [&] {
                        mutex.lock();
                        SimRuntime::point("holding");
                        SimRuntime::Parker().park();
                      }},
                     {"waiter", [&] { mutex.lock(); }}});
  });
  CHECK_THAT(failure, contains("main (1) waits for 2 of those it spawned"));
  CHECK_THAT(failure, contains("holder (2) is parked on parker 2, after \"holding\""));
  CHECK_THAT(failure, contains("waiter (3) waits for mutex 1, held by holder (2)"));
}

TEST_CASE("a callable knows that it runs under a lock", "[simulator]") {
  CHECK_THAT(failure_of([](Simulation&) {
               Mutex mutex;
               mutex.lock();
               assert_no_lock_held();
             }),
             contains("user code runs under a lock"));
  CHECK(failure_of([](Simulation& sim) {
          Mutex mutex;
          mutex.lock();
          CHECK(SimRuntime::locks_held() == 1);
          sim.run_threads({{"other", [] { assert_no_lock_held(); }}});
          mutex.unlock();
          assert_no_lock_held();
        }).empty());
}

TEST_CASE("an invariant is looked at after every operation, unless a mutex is held", "[simulator]") {
  const auto with = [](bool every_step) {
    return failure_of([=](Simulation& sim) {
      Mutex mutex;
      int left = 2;
      int right = 0;
      const auto look = [&] {
        require(SimRuntime::in_observer(), "it knows where it is");
        if (!every_step) {
          mutex.lock();
          mutex.unlock();
        }
        require(left + right == 2, "nothing is lost on the way");
      };
      const auto check = every_step ? sim.on_every_step(look) : sim.on_step(look);
      const auto move = [&] {
        mutex.lock();
        --left;
        SimRuntime::point("on the way");
        ++right;
        mutex.unlock();
      };
      sim.run_threads({{"a", move}, {"b", move}});
      require(!SimRuntime::in_observer(), "it knows where it is not");
    });
  };
  CHECK(with(false).empty());
  CHECK_THAT(with(true), contains("nothing is lost on the way"));
}

TEST_CASE("an observer that would have to wait is a failure, and so is one that throws", "[simulator]") {
  CHECK_THAT(failure_of([](Simulation& sim) {
               Mutex mutex;
               const auto check = sim.on_every_step([&] {
                 mutex.lock();
                 mutex.unlock();
               });
               mutex.lock();
               sim.run_threads({{"other", [] { SimRuntime::point("here"); }}});
             }),
             contains("locked by the thread that holds it"));
  CHECK_THAT(failure_of([](Simulation& sim) {
               Mutex mutex;
               bool locked = false;
               const auto check = sim.on_every_step([&] {
                 const bool taken = mutex.try_lock();
                 require(taken != locked, "an observer may try");
                 if (taken) {
                   mutex.unlock();
                 }
               });
               SimRuntime::point("free");
               locked = true;
               mutex.lock();
               SimRuntime::point("held");
               locked = false;
               mutex.unlock();
               throw std::runtime_error("the end");
             }),
             contains("the end"));
  CHECK_THAT(failure_of([](Simulation& sim) {
               const auto check = sim.on_step([] { throw std::runtime_error("bad state"); });
               SimRuntime::point("here");
             }),
             contains("an observer threw: bad state"));
  CHECK(failure_of([](Simulation& sim) {
          {
            const auto check = sim.on_step([] { throw 1; });
          }
          SimRuntime::point("here");
        }).empty());
}

// To be run with a leak detector: it finds what a schedule that passed has lost, and must not find what one that
// failed has left on its stacks.
TEST_CASE("what a failed schedule leaves behind is no leak", "[simulator]") {
  CHECK_THAT(failure_of([](Simulation& sim) {
               const auto text = std::make_unique<std::string>(1000, 'x');
               SimRuntime::Parker parker;
               const auto work = [&parker](std::vector<std::unique_ptr<int>> numbers) {
                 numbers.push_back(std::make_unique<int>(1));
                 try {
                   throw std::runtime_error(std::string(1000, 'y'));
                 } catch (const std::exception&) {
                   parker.park();
                 }
                 require(numbers.empty(), "this fails");
               };
               sim.run_threads({{"a", [&] { work({}); }}, {"b", [&, text = std::string(1000, 'z')] {
                                                             parker.unpark();
                                                             SimRuntime::Parker().park();
                                                           }}});
             }),
             contains("this fails"));
}

TEST_CASE("a scenario that depends on more than the choices is found out", "[simulator]") {
  int schedule = 0;
  CHECK_THAT(failure_of([&](Simulation& sim) {
               const int operations = ++schedule % 3;
               const auto work = [&] {
                 for (int i = 0; i < operations; ++i) {
                   SimRuntime::point("once more");
                 }
               };
               sim.run_threads({{"a", work}, {"b", work}});
             }),
             contains("differs from an earlier one with the same choices"));
}

TEST_CASE("thread starts fail by plan", "[simulator]") {
  const auto refused = [](StartFaults faults) {
    std::string outcome;
    CHECK(simulate({.strategy = Exhaustive{0}, .start_faults = faults}, [&](Simulation&) {
      outcome.clear();
      for (int i = 0; i < 6; ++i) {
        try {
          Thread("t", [] {}).join();
          outcome += '.';
        } catch (const std::system_error& error) {
          CHECK(error.code() == std::errc::resource_unavailable_try_again);
          outcome += 'x';
        }
      }
    }));
    return outcome;
  };
  CHECK(refused({}) == "......");
  CHECK(refused({.after = 0}) == "xxxxxx");
  CHECK(refused({.after = 4}) == "....xx");
  CHECK(refused({.every = 2}) == ".x.x.x");
  CHECK(refused({.only = 3}) == "..x...");
}

TEST_CASE("the environment may choose to refuse a thread, memory or a weak exchange", "[simulator]") {
  const auto most = [](SimulationOptions options, const std::function<bool()>& attempt) {
    int refusals = 0;
    options.strategy = Exhaustive{3};
    const SimulationResult result = simulate(options, [&](Simulation&) {
      int refused = 0;
      for (int i = 0; i < 4; ++i) {
        refused += attempt() ? 0 : 1;
      }
      refusals = std::max(refusals, refused);
    });
    INFO(result);
    CHECK(result);
    CHECK(result.exhausted);
    return refusals;
  };
  const auto start = [] {
    try {
      Thread("t", [] {}).join();
      return true;
    } catch (const std::system_error&) {
      return false;
    }
  };
  const auto exchange = [] {
    SimRuntime::Atomic<int> atomic{1};
    int expected = 1;
    const bool done = atomic.compare_exchange_weak(expected, 2);
    require(expected == 1 && atomic.load() == (done ? 2 : 1), "a weak exchange that fails changes nothing");
    return done;
  };
  const auto take_memory = [] { return !allocation_should_fail(); };
  CHECK(most({}, start) == 0);
  CHECK(most({.failing_starts = 2}, start) == 2);
  CHECK(most({}, exchange) == 0);
  CHECK(most({.weak_failures = 1}, exchange) == 1);
  CHECK(most({}, take_memory) == 0);
  CHECK(most({.failing_allocations = 3}, take_memory) == 3);
  const auto sheltered = [&] {
    const toto::testing::NoFaults no_faults;
    return start() && exchange() && take_memory();
  };
  CHECK(most({.failing_starts = 3, .failing_allocations = 3, .weak_failures = 3}, sheltered) == 0);
}

TEST_CASE("the nth allocation of a schedule fails if the scenario says so", "[simulator]") {
  for (std::size_t nth = 1; nth <= 4; ++nth) {
    CHECK(failure_of([=](Simulation& sim) {
            std::size_t done = 0;
            sim.fail_allocation(nth);
            try {
              for (; done < 3; ++done) {
                allocate();
              }
            } catch (const std::bad_alloc&) {
            }
            require(done == std::min<std::size_t>(nth - 1, 3), "the one that was named fails");
            require(sim.allocations() == std::min<std::size_t>(nth, 3), "allocations are counted");
          }).empty());
  }
  CHECK_FALSE(allocation_should_fail());
}

TEST_CASE("thread-local objects are one a thread and die with it, global ones are one a schedule", "[simulator]") {
  struct Tag;
  struct Counted {
    int value = 0;
    SimRuntime::Atomic<int>* deaths = nullptr;
    ~Counted() {
      if (deaths != nullptr) {
        deaths->fetch_add(1);
      }
    }
  };
  struct Global {
    int value = 0;
    ~Global() { SimRuntime::point("a global object goes"); }
  };
  CHECK(failure_of([](Simulation& sim) {
          SimRuntime::Atomic<int> deaths{0};
          const auto work = [&](int value) {
            auto& local = SimRuntime::Local<Counted, Tag>::get();
            require(local.value == 0, "a thread begins with a new object");
            local.deaths = &deaths;
            local.value = value;
            ++SimRuntime::global<Global>().value;
            SimRuntime::point("meanwhile");
            require(SimRuntime::Local<Counted, Tag>::get().value == value, "no other thread changes it");
          };
          sim.run_threads({{"a", [&] { work(1); }}, {"b", [&] { work(2); }}});
          require(deaths.load() == 2, "each thread's object is destroyed");
          require(SimRuntime::global<Global>().value == 2, "there is one global object, new in each schedule");
        }).empty());
}

TEST_CASE("functions for the exit run after the scenario and may wait", "[simulator]") {
  struct Global {
    SimRuntime::Thread worker;
    SimRuntime::Parker parker;
  };
  exits = 0;
  const SimulationResult result = simulate({.strategy = Exhaustive{2}}, [&](Simulation&) {
    SimRuntime::at_exit([] {
      ++exits;
      SimRuntime::global<Global>().parker.unpark();
      SimRuntime::global<Global>().worker.join();
    });
    Global& global = SimRuntime::global<Global>();
    global.worker = Thread("worker", [&] { global.parker.park(); });
  });
  INFO(result);
  CHECK(result);
  CHECK(exits == static_cast<int>(result.schedules));
}

TEST_CASE("a stop callback runs once, and its destructor waits for it", "[simulator]") {
  const SimulationResult result = simulate({.strategy = Exhaustive{3}, .spurious_wakeups = 1}, [](Simulation& sim) {
    SimRuntime::StopSource source;
    int calls = 0;
    bool alive = true;
    sim.run_threads({{"requester", [&] { require(source.request_stop(), "nobody asked before"); }},
                     {"listener", [&, token = source.get_token()] {
                        {
                          const auto on_stop = [&] {
                            assert_no_lock_held();
                            SimRuntime::point("in the callback");
                            require(alive, "the callback does not outlive its registration");
                            ++calls;
                          };
                          const SimRuntime::StopCallback<decltype(on_stop)> callback(token, on_stop);
                        }
                        alive = false;
                      }}});
    require(calls <= 1, "the callback runs at most once");
    require(source.stop_requested(), "the request is seen");
  });
  INFO(result);
  CHECK(result);
  CHECK(result.exhausted);
}

TEST_CASE("a local variable is on the stack of its own thread only", "[simulator]") {
  CHECK(failure_of([](Simulation& sim) {
          const int mine = 0;
          const auto allocated = std::make_unique<int>();
          require(SimRuntime::on_this_stack(&mine), "a local variable is on the stack");
          require(!SimRuntime::on_this_stack(allocated.get()), "what is allocated is not");
          sim.run_threads({{"other", [&] {
                              const int of_other = 0;
                              require(SimRuntime::on_this_stack(&of_other), "each thread has a stack");
                              require(!SimRuntime::on_this_stack(&mine), "of its own");
                            }}});
        }).empty());
}

TEST_CASE("the scenario can count the threads that its code starts", "[simulator]") {
  CHECK(failure_of([](Simulation& sim) {
          Thread first("worker 1", [&] { sim.sleep_for(1s); });
          Thread second("worker 2", [&] { sim.sleep_for(2s); });
          Thread("other", [] {}).join();
          sim.sleep_for(1500ms);
          require(sim.threads_started() == 3 && sim.threads_started("worker") == 2, "started");
          require(sim.threads_alive() == 1 && sim.threads_alive("worker 2") == 1, "alive");
          first.join();
          second.join();
          require(sim.threads_alive() == 0, "none alive");
        }).empty());
}

TEST_CASE("primitives work outside a simulation, for one thread", "[simulator]") {
  static constinit Mutex mutex;
  static constinit SimRuntime::Atomic<unsigned> atomic{4};
  static constinit SimRuntime::Parker parker;
  mutex.lock();
  CHECK_FALSE(mutex.try_lock());
  mutex.unlock();
  CHECK(mutex.try_lock());
  mutex.unlock();
  CHECK(atomic.fetch_or(3) == 4);
  CHECK(atomic.fetch_and(6) == 7);
  CHECK(atomic.fetch_sub(1) == 6);
  CHECK(atomic.exchange(9) == 5);
  parker.unpark();
  CHECK(parker.park_until(SimRuntime::Clock::time_point::max()));
  CHECK_FALSE(parker.park_until(SimRuntime::Clock::now() + 1s));
  CHECK_THROWS_AS(Thread("t", [] {}), std::logic_error);
  CHECK_THROWS_AS(require(false, "outside"), std::logic_error);
  CHECK(SimRuntime::locks_held() == 0);
  // And then within one, whatever was left behind.
  mutex.lock();
  CHECK(failure_of([](Simulation& sim) {
          const auto work = [] {
            mutex.lock();
            mutex.unlock();
          };
          sim.run_threads({{"a", work}, {"b", work}});
        }).empty());
}
