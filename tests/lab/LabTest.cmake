# SPDX-License-Identifier: Apache-2.0
#
# dpuflow_add_lab_test(NAME COMMAND [ARGUMENTS...] [TIMEOUT SECONDS] [LABEL LABEL] [ALONE] [ALSO_ON KERNEL...])
#
# Registers a test that tests/lab/run runs as root in a virtual machine: COMMAND is a script or program by its path, or
# the name of a command in there. TIMEOUT (default 120) is the machine's own limit, at which it shows what it hangs in.
# LABEL is one of bpf, lab, scenario (default lab). ALONE: no other test runs beside it, for tests that measure time.
# The kernel's log is kept in logs/NAME.kernel.log of the build directory.
#
# The machine's kernel is 6.1, or $LAB_KERNEL when the test is run. For each KERNEL of ALSO_ON there is a test more,
# NAME@KERNEL, that runs on that one.
#
# In the machine, LAB_BUILD, LABTRAFFIC, DPUFLOWD and DPUFLOWCTL hold the paths of what this build made.
function(dpuflow_add_lab_test name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "ALONE" "TIMEOUT;LABEL" "ALSO_ON")
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 120)
  endif()
  if(NOT arg_LABEL)
    set(arg_LABEL lab)
  endif()
  foreach(kernel IN ITEMS "" ${arg_ALSO_ON})
    set(test ${name})
    set(options)
    if(kernel)
      set(test ${name}@${kernel})
      set(options --kernel ${kernel})
    endif()
    string(REPLACE "/" "." log ${test})
    add_test(NAME ${test}
      COMMAND ${PROJECT_SOURCE_DIR}/tests/lab/run
        ${options}
        --timeout ${arg_TIMEOUT}
        --share ${PROJECT_BINARY_DIR}
        --log ${PROJECT_BINARY_DIR}/logs/${log}.kernel.log
        -- ${arg_UNPARSED_ARGUMENTS})
    math(EXPR limit "${arg_TIMEOUT} + 30")
    set_tests_properties(${test} PROPERTIES
      LABELS ${arg_LABEL}
      TIMEOUT ${limit}
      COST ${arg_TIMEOUT}  # long ones first, so that none is left alone at the end
      RUN_SERIAL "${arg_ALONE}"
      ENVIRONMENT "${DPUFLOW_LAB_ENVIRONMENT}")
  endforeach()
endfunction()

file(MAKE_DIRECTORY ${PROJECT_BINARY_DIR}/logs)
set(DPUFLOW_LAB_ENVIRONMENT
  LAB_BUILD=${PROJECT_BINARY_DIR}
  LABTRAFFIC=${PROJECT_BINARY_DIR}/tests/lab/traffic/labtraffic
  DPUFLOWD=${PROJECT_BINARY_DIR}/agent/dpuflowd
  DPUFLOWCTL=${PROJECT_BINARY_DIR}/agent/ctl/dpuflowctl)
