// SPDX-License-Identifier: MIT
//
// A snapshot as a page for people: one file of HTML that fetches itself again each second.

#ifndef SERVER_PAGE_HPP
#define SERVER_PAGE_HPP

#include <string>

#include "snapshot.hpp"

namespace server {

std::string page_of(const Snapshot& snapshot);

}  // namespace server

#endif  // SERVER_PAGE_HPP
