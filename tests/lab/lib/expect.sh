# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# What a scenario says and asserts. Each assertion names what it is about, prints one line when it holds, and ends the
# scenario with what was expected and what was found when it does not.

# step TEXT: a headline of the scenario's story.
step() {
  printf '\n%s\n' "$1"
}

note() {
  printf '    %s\n' "$1"
}

fail() {
  printf '  FAILED  %s\n' "$1"
  exit 1
}

expect_ok() {
  printf '  ok      %s\n' "$1"
}

expect_eq() { # NAME EXPECTED FOUND
  [[ $3 == "$2" ]] || fail "$1: expected '$2', found '$3'"
  expect_ok "$1 is $2"
}

expect_ne() { # NAME UNEXPECTED FOUND
  [[ $3 != "$2" ]] || fail "$1: expected anything but '$2'"
  expect_ok "$1 is $3, not $2"
}

# expect_is_number NAME FOUND: for the comparisons below, which are of whole numbers.
expect_is_number() {
  [[ $2 =~ ^-?[0-9]+$ ]] || fail "$1: expected a whole number, found '$2'"
}

expect_le() { # NAME LIMIT FOUND
  expect_is_number "$1" "$3"
  (($3 <= $2)) || fail "$1: expected at most $2, found $3"
  expect_ok "$1 is $3, at most $2"
}

expect_ge() { # NAME LIMIT FOUND
  expect_is_number "$1" "$3"
  (($3 >= $2)) || fail "$1: expected at least $2, found $3"
  expect_ok "$1 is $3, at least $2"
}

expect_match() { # NAME REGEX FOUND
  [[ $3 =~ $2 ]] || fail "$1: expected a match of '$2', found '$3'"
  expect_ok "$1 matches '$2'"
}

expect_no_match() { # NAME REGEX FOUND
  [[ ! $3 =~ $2 ]] || fail "$1: expected no match of '$2', found '$3'"
  expect_ok "$1 does not match '$2'"
}

# What the command prints is shown when it did not end as expected.
expect_success() { # NAME COMMAND...
  local name=$1 output
  shift
  output=$("$@" 2>&1) || fail "$name: '$*' failed with $?: $output"
  expect_ok "$name"
}

expect_failure() { # NAME COMMAND...
  local name=$1 output
  shift
  ! output=$("$@" 2>&1) || fail "$name: expected '$*' to fail; it printed: $output"
  expect_ok "$name"
}
