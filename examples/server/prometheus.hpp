// SPDX-License-Identifier: MIT
//
// A snapshot in Prometheus' text format.

#ifndef SERVER_PROMETHEUS_HPP
#define SERVER_PROMETHEUS_HPP

#include <string>

#include "snapshot.hpp"

namespace server {

std::string prometheus_of(const Snapshot& snapshot);

}  // namespace server

#endif  // SERVER_PROMETHEUS_HPP
