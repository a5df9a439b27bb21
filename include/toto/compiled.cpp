// SPDX-License-Identifier: MIT
//
// What does not depend on a program's types, for programs whose files define TOTO_COMPILED: compile this file with
// them. Nobody else needs it. The CMake target toto::compiled does both.

#include "detail/compiled_templates.hpp"

namespace toto::inline v0_1 {

TOTO_DETAIL_COMPILED_TEMPLATES()

}  // namespace toto::inline v0_1
