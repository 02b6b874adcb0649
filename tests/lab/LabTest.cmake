# SPDX-License-Identifier: Apache-2.0
#
# dpuflow_add_lab_test(NAME COMMAND [ARGUMENTS...] [TIMEOUT SECONDS] [LABEL LABEL])
#
# Registers a test that tests/lab/run runs as root in a virtual machine: COMMAND is a script or program by its path, or
# the name of a command in there. TIMEOUT (default 120) is the machine's own limit, at which it shows what it hangs in.
# LABEL is one of bpf, lab, scenario (default lab). The kernel's log is kept in logs/NAME.kernel.log of the build directory.
#
# A script asks for more in lines of its own:
#   # run: timeout SECONDS    it takes longer than usual
#   # run: alone              nothing runs beside it, because it measures time
#   # run: processors N       its machine has so many (default 1), because it is about what happens at once
#   # run: systemd            it runs as a service of systemd, which is the machine's first process
#   # run: also on KERNEL     a second time as NAME@KERNEL, on that one; else on 6.1, or $LAB_KERNEL when the test is run
#
# In the machine, LAB_BUILD, LABTRAFFIC, DPUFLOWD and DPUFLOWCTL hold the paths of what this build made.
function(dpuflow_add_lab_test name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "TIMEOUT;LABEL" "")
  if(NOT arg_LABEL)
    set(arg_LABEL lab)
  endif()
  set(timeout 120)
  if(arg_TIMEOUT)
    set(timeout ${arg_TIMEOUT})
  endif()
  set(alone OFF)
  set(processors 1)
  set(more_kernels)
  set(options_of_all)
  list(GET arg_UNPARSED_ARGUMENTS 0 script)
  set(lines)
  if(EXISTS ${script} AND NOT script MATCHES "^${PROJECT_BINARY_DIR}/")
    file(STRINGS ${script} lines REGEX "^# run: ")
  endif()
  foreach(line IN LISTS lines)
    if(line MATCHES "^# run: alone$")
      set(alone ON)
    elseif(line MATCHES "^# run: timeout ([0-9]+)$")
      set(timeout ${CMAKE_MATCH_1})
    elseif(line MATCHES "^# run: systemd$")
      list(APPEND options_of_all --systemd)
    elseif(line MATCHES "^# run: processors ([0-9]+)$")
      set(processors ${CMAKE_MATCH_1})
    elseif(line MATCHES "^# run: also on ([^ ]+)$")
      list(APPEND more_kernels ${CMAKE_MATCH_1})
    else()
      message(FATAL_ERROR "${script}: expected '# run: ' and alone, systemd, timeout SECONDS, processors N or also on KERNEL, found '${line}'")
    endif()
  endforeach()
  foreach(kernel IN ITEMS "" ${more_kernels})
    set(test ${name})
    set(options --cpus ${processors} ${options_of_all})
    if(kernel)
      string(APPEND test @${kernel})
      list(APPEND options --kernel ${kernel})
    endif()
    string(REPLACE "/" "." log ${test})
    add_test(NAME ${test}
      COMMAND ${PROJECT_SOURCE_DIR}/tests/lab/run
        ${options}
        --timeout ${timeout}
        --share ${PROJECT_BINARY_DIR}
        --log ${PROJECT_BINARY_DIR}/logs/${log}.kernel.log
        -- ${arg_UNPARSED_ARGUMENTS})
    math(EXPR limit "${timeout} + 30")
    set_tests_properties(${test} PROPERTIES
      LABELS ${arg_LABEL}
      TIMEOUT ${limit}
      COST ${timeout}  # long ones first, so that none is left alone at the end
      RUN_SERIAL ${alone}
      ENVIRONMENT "${DPUFLOW_LAB_ENVIRONMENT}")
  endforeach()
endfunction()

file(MAKE_DIRECTORY ${PROJECT_BINARY_DIR}/logs)
set(DPUFLOW_LAB_ENVIRONMENT
  LAB_BUILD=${PROJECT_BINARY_DIR}
  LABTRAFFIC=${PROJECT_BINARY_DIR}/tests/lab/traffic/labtraffic
  DPUFLOWD=${PROJECT_BINARY_DIR}/agent/dpuflowd
  DPUFLOWCTL=${PROJECT_BINARY_DIR}/agent/ctl/dpuflowctl)
