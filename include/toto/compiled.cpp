// SPDX-License-Identifier: MIT
//
// Everything that does not depend on a program's types, for programs that define TOTO_COMPILED: compile this file along
// with theirs. Other programs do not need it. The CMake target toto::compiled does both.

#include "detail/compiled_templates.hpp"

namespace toto::inline v0_1 {

TOTO_DETAIL_COMPILED_TEMPLATES()

}  // namespace toto::inline v0_1
