#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Uses the library in every way that the README offers, from a user's project in a temporary folder: one line for each
# way, and an exit code other than 0 if one of them failed. CXX and CXXFLAGS choose the compiler.

set -eu
here=$(cd "$(dirname "$0")" && pwd)
source=$(cd "$here/../.." && pwd)
CXX=${CXX:-c++}
export CXX
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM

version=$(awk '$2 ~ /^TOTO_VERSION_(MAJOR|MINOR|PATCH)$/ { printf "%s%s", dot, $3; dot = "." }' \
  "$source/include/toto/version.hpp")
major_minor=${version%.*}  # as find_package would be asked for it

failed=0

# way DESCRIPTION FUNCTION [ARGUMENT...]: runs it in a separate shell that stops at the first failure.
way() {
  description=$1
  shift
  # Not `if (...)`: in a condition, -e would have no effect inside.
  set +e
  (
    set -e
    "$@"
  ) > "$work/log" 2>&1
  status=$?
  set -e
  if [ $status -eq 0 ]; then
    echo "ok      $description"
  else
    echo "FAILED  $description"
    sed 's/^/        | /' "$work/log"
    failed=1
  fi
}

# build NAME CMAKE-ARGUMENT...: configures, builds and runs the user's project.
build() {
  name=$1
  shift
  cmake -S "$here/user" -B "$work/$name" "$@"
  cmake --build "$work/$name"
  "$work/$name/user"
}

install_the_library() {
  cmake -S "$source" -B "$work/library" -D CMAKE_INSTALL_PREFIX="$work/prefix" -D TOTO_BUILD_TESTS=OFF \
    -D TOTO_BUILD_EXAMPLES=OFF
  cmake --install "$work/library"
  # Every header is there, and nothing else is in the include directory.
  diff -r "$source/include" "$work/prefix/include"
}

# find_package_finds_it TARGET
find_package_finds_it() {
  build "found-${1#toto::}" -D TARGET="$1" -D HOW=find_package -D CMAKE_PREFIX_PATH="$work/prefix" \
    -D TOTO_WANTED="$major_minor"
}

# A version that is not compatible is refused, and the message says that it is the version.
find_package_refuses() {
  if cmake -S "$here/user" -B "$work/refused-$1" -D HOW=find_package -D CMAKE_PREFIX_PATH="$work/prefix" \
    -D TOTO_WANTED="$1" > "$work/refusal" 2>&1; then
    echo "find_package(toto $1) was satisfied"
    return 1
  fi
  cat "$work/refusal"
  tr -s '[:space:]' ' ' < "$work/refusal" | grep -q "compatible with requested version \"$1\""
}

# Headers that are not the system's: a warning in them is one in the user's build.
vendored_copy() {
  mkdir -p "$work/vendored/vendor"
  cp -r "$source/include/toto" "$work/vendored/vendor/toto"
  cp "$here/vendored.cpp" "$work/vendored/main.cpp"
  cd "$work/vendored"
  # shellcheck disable=SC2086 # flags are a list
  "$CXX" ${CXXFLAGS:-} -std=c++20 -Wall -Wextra -Werror main.cpp -pthread -o main
  ./main
}

two_translation_units() {
  cd "$here/user"
  # shellcheck disable=SC2086 # flags are a list
  "$CXX" ${CXXFLAGS:-} -std=c++20 -I"$source/include" main.cpp other.cpp -pthread -o "$work/two_units"
  "$work/two_units"
}

compiled_once() {
  cd "$here/user"
  # shellcheck disable=SC2086 # flags are a list
  set -- "$CXX" ${CXXFLAGS:-} -std=c++20 -I"$source/include" -DTOTO_COMPILED -pthread main.cpp other.cpp
  "$@" "$source/include/toto/compiled.cpp" -o "$work/compiled_once"
  "$work/compiled_once"
  # Without that file, something is missing: so the others do not compile it, too.
  ! "$@" -o "$work/compiled_nowhere" 2> "$work/missing"
  grep -q 'QueueCore' "$work/missing"
}

# Any build system: the paths in toto.pc are those of the place to which the installed copy was moved.
pkg_config() {
  cp -r "$work/prefix" "$work/moved"
  PKG_CONFIG_PATH=$work/moved/share/pkgconfig
  export PKG_CONFIG_PATH
  pkg-config --exact-version="$version" toto
  cd "$here/user"
  # shellcheck disable=SC2086,SC2046 # flags are lists
  "$CXX" ${CXXFLAGS:-} -std=c++20 main.cpp other.cpp $(pkg-config --cflags --libs toto) -o "$work/pkg_config"
  "$work/pkg_config"
}

# meson_build NAME: sets up, builds and runs a copy of the user's project in $work/NAME/project.
meson_build() {
  meson setup "$work/$1/build" "$work/$1/project"
  meson compile -C "$work/$1/build"
  "$work/$1/build/user"
}

meson_finds_it() {
  mkdir "$work/meson"
  cp -r "$here/user" "$work/meson/project"
  PKG_CONFIG_PATH=$work/prefix/share/pkgconfig meson_build meson
}

# The wrap of docs/packaging, but with an archive of this copy where it names a repository.
meson_wraps_it() {
  subprojects=$work/wrap/project/subprojects
  mkdir "$work/wrap" "$work/toto"
  cp -r "$here/user" "$work/wrap/project"
  cp -r "$source/include" "$source/LICENSE" "$work/toto"
  mkdir "$subprojects"
  cp -r "$source/docs/packaging/meson/packagefiles" "$subprojects"
  archive=$subprojects/packagefiles/toto.tar.gz
  tar -c -z -f "$archive" -C "$work" toto
  hash=$(sha256sum "$archive" | cut -d ' ' -f 1)
  sed -e "s|^\[wrap-git\]|[wrap-file]|" -e "s|^url = .*|source_filename = toto.tar.gz|" \
    -e "s|^revision = .*|source_hash = $hash|" "$source/docs/packaging/meson/toto.wrap" > "$subprojects/toto.wrap"
  PKG_CONFIG_LIBDIR=/nowhere PKG_CONFIG_PATH='' meson_build wrap
  # What Meson installs is what CMake installs.
  meson install -C "$work/wrap/build" --destdir "$work/wrap/installed" --quiet
  includes=$(find "$work/wrap/installed" -path '*/include/toto')
  diff -r "$source/include/toto" "$includes"
}

# Without vcpkg and Conan, their recipes can only be read. They have this copy's version.
vcpkg_and_conan_read() {
  python3 - "$source/docs/packaging" "$version" << 'END'
import ast, json, pathlib, sys
recipes, version = pathlib.Path(sys.argv[1]), sys.argv[2]
assert json.loads((recipes / "vcpkg/toto/vcpkg.json").read_text())["version"] == version, "vcpkg.json: not this version"
for recipe in recipes.glob("conan/**/*.py"):
    ast.parse(recipe.read_text())
END
  grep -q "version: '$version'" "$source/docs/packaging/meson/packagefiles/toto/meson.build"
}

# conan_creates: Conan makes the package of a copy, and builds its test_package with it.
conan_creates() {
  mkdir -p "$work/conan/docs"
  cp -r "$source/include" "$source/LICENSE" "$work/conan"
  cp -r "$source/docs/packaging" "$work/conan/docs"
  CONAN_HOME=$work/conan-home
  export CONAN_HOME
  conan profile detect
  conan create "$work/conan/docs/packaging/conan" -s compiler.cppstd=20
}

# way_with COMMAND DESCRIPTION FUNCTION...: a way that needs a command.
way_with() {
  if command -v "$1" > /dev/null; then
    shift
    way "$@"
  else
    echo "left out: $2: $1 is not installed"
  fi
}

way "install" install_the_library
way "find_package(toto $major_minor) of the installed copy, toto::toto" find_package_finds_it toto::toto
way "find_package(toto $major_minor) of the installed copy, toto::compiled" find_package_finds_it toto::compiled
way "find_package(toto 9) is refused" find_package_refuses 9
way "find_package(toto ${major_minor%.*}.999) is refused" find_package_refuses "${major_minor%.*}.999"
way "add_subdirectory, toto::toto" build subdirectory -D HOW=add_subdirectory -D TOTO_SOURCE="$source"
way "add_subdirectory, toto::compiled, precompiled headers" build subdirectory-compiled -D HOW=add_subdirectory \
  -D TOTO_SOURCE="$source" -D TARGET=toto::compiled -D PRECOMPILED=ON
way "FetchContent" build fetched -D HOW=fetch_content -D FETCHCONTENT_SOURCE_DIR_TOTO="$source"
way_with pkg-config "pkg-config" pkg_config
way_with meson "Meson, dependency('toto') of the installed copy" meson_finds_it
way_with meson "Meson, a wrap" meson_wraps_it
way_with conan "Conan" conan_creates
way_with python3 "the recipes for vcpkg and Conan can be read" vcpkg_and_conan_read
way "a vendored copy, no build system, no include path" vendored_copy
way "two translation units in one program" two_translation_units
way "compiled.cpp beside them" compiled_once
exit $failed
