// SPDX-License-Identifier: MIT
//
// Boost.JSON, compiled here once, so that its headers are all it takes.

#include <boost/json/src.hpp>
