// SPDX-License-Identifier: MIT
//
// Models of the stop state that serves where the standard library has none: a stop that is requested while callbacks
// are registered, run and destroyed.

#include <cstddef>
#include <functional>
#include <optional>

#include "support/explore.hpp"

using namespace toto_tests;

namespace {

using Source = toto::detail::BasicStopSource<SimRuntime>;
using Token = toto::detail::BasicStopToken<SimRuntime>;
template <class Callback>
using StopCallback = toto::detail::BasicStopCallback<SimRuntime, Callback>;

}  // namespace

TEST_CASE("a stop callback that is destroyed has run before, or never will", "[simulation][inv.T1][inv.T2][inv.T3]") {
  explore("stop against destruction", {}, [](Simulation& sim) {
    Source source;
    Tally ran;
    bool alive = true;
    const auto callback = [&] {
      require(alive, "it is not called after it was destroyed");
      SimRuntime::point("in the callback");
      require(alive, "it is not destroyed while it runs");
      ++ran;
    };
    sim.run_threads({{"requester", [&] { source.request_stop(); }}, {"owner", [&] {
                                                                       {
                                                                         const StopCallback registered(
                                                                             source.get_token(), callback);
                                                                         SimRuntime::point("registered");
                                                                       }
                                                                       alive = false;
                                                                     }}});
    require(ran <= 1, "once at the most");
  });
}

TEST_CASE("a stop callback that is registered against the request runs once", "[simulation][inv.T1][inv.T3]") {
  explore("stop against registering", {}, [](Simulation& sim) {
    Source source;
    Tally ran[2];
    std::optional<StopCallback<std::function<void()>>> callbacks[2];
    const auto add = [&](std::size_t number) {
      callbacks[number].emplace(source.get_token(), [&ran, number] { ++ran[number]; });
    };
    sim.run_threads(
        {{"requester", [&] { source.request_stop(); }}, {"one", [&] { add(0); }}, {"other", [&] { add(1); }}});
    require(source.stop_requested() && ran[0] == 1 && ran[1] == 1, "each of them, whoever was faster");
  });
}

TEST_CASE("a stop callback may destroy itself and others that have not run", "[simulation][inv.T2]") {
  explore("callbacks that destroy", {}, [](Simulation& sim) {
    Source source;
    Tally ran;
    std::optional<StopCallback<std::function<void()>>> self;
    std::optional<StopCallback<std::function<void()>>> other;
    other.emplace(source.get_token(), [&] { ++ran; });
    self.emplace(source.get_token(), [&] {  // the last to be registered runs first
      ++ran;
      other.reset();
      self.reset();
    });
    bool first[2] = {};
    sim.run_threads(
        {{"one", [&] { first[0] = source.request_stop(); }}, {"other", [&] { first[1] = source.request_stop(); }}});
    require(first[0] != first[1], "one of two requests is the first");
    require(ran == 1 && !self && !other, "the other one never ran");
  });
}
