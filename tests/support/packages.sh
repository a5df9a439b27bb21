# SPDX-License-Identifier: MIT
# shellcheck shell=sh
#
# To be sourced: makes sure that tools and libraries are installed, using apt-get if it is available.

# need COMMAND=PACKAGE... PACKAGE...: when it returns 0, all of these commands can be run and all of the other packages
# are installed. What is missing is installed all at once, and said to be missing all at once where it cannot be. Where
# packages are not Debian's, nothing is said about those that are no command: CMake will look for the libraries, and say
# what it does not find.
need() {
  need_missing=
  for need_what in "$@"; do
    case $need_what in
      *=*) command -v "${need_what%%=*}" > /dev/null || need_missing="$need_missing ${need_what#*=}" ;;
      *)
        if command -v dpkg-query > /dev/null; then
          case $(dpkg-query --show --showformat='${db:Status-Status}' "$need_what" 2> /dev/null) in
            installed*) ;;
            *) need_missing="$need_missing $need_what" ;;
          esac
        fi
        ;;
    esac
  done
  # shellcheck disable=SC2086 # a list of package names
  install_packages $need_missing
}

# boost_package: prints the package with a Boost that is new enough, 1.77; nothing if there is one already. Debian 12 has
# two, and its libboost-dev is the older one.
boost_package() {
  boost_header=$(find /usr/include/boost/version.hpp /usr/local/include/boost/version.hpp 2> /dev/null | head -n 1)
  if [ -n "$boost_header" ] && [ "$(awk '$1 == "#define" && $2 == "BOOST_VERSION" { print $3 }' "$boost_header")" -ge 107700 ]; then
    return 0
  fi
  if command -v apt-cache > /dev/null && apt-cache show libboost1.81-dev > /dev/null 2>&1; then
    echo libboost1.81-dev
  else
    echo libboost-dev
  fi
}

# have_tools COMMAND...: all of these commands can be run. Says which cannot.
have_tools() {
  have_all=0
  for have_tool in "$@"; do
    command -v "$have_tool" > /dev/null || {
      echo "missing: the command $have_tool" >&2
      have_all=1
    }
  done
  return $have_all
}

# install_packages PACKAGE...: installs them, or names those that are missing and returns 1.
install_packages() {
  [ $# -gt 0 ] || return 0
  if ! command -v apt-get > /dev/null; then
    echo "missing: $* (Debian package names; apt-get is not available to install them)" >&2
    return 1
  fi
  if [ "$(id -u)" = 0 ]; then
    install_as_root=
  elif command -v sudo > /dev/null; then
    install_as_root='sudo'
  else
    echo "missing: $*" >&2
    echo "install them as root: apt-get install $*" >&2
    return 1
  fi
  echo "installing: $*" >&2
  # The list of packages may be old or absent: then bring it up to date and try once more. If that fails, one of them
  # may be unknown here, which is no reason to go without the others.
  apt_install "$@" && return 0
  # shellcheck disable=SC2086 # empty or sudo
  $install_as_root apt-get update --quiet > /dev/null 2>&1 < /dev/null || :
  apt_install "$@" && return 0
  install_failed=
  for install_package in "$@"; do
    apt_install "$install_package" || install_failed="$install_failed $install_package"
  done
  [ -n "$install_failed" ] || return 0
  echo "could not install:$install_failed" >&2
  echo "try: apt-get update && apt-get install$install_failed" >&2
  return 1
}

apt_install() {
  # shellcheck disable=SC2086 # empty or sudo
  $install_as_root env DEBIAN_FRONTEND=noninteractive apt-get install --yes --quiet --no-install-recommends \
    -o DPkg::Lock::Timeout=120 "$@" > /dev/null 2>&1 < /dev/null
}
