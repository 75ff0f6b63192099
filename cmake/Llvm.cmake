# The compiler's module tme-llvm: LLVM's code generator for this machine's architecture, linked in statically where the
# distribution has the archives (the module then opens in 3 ms and needs no LLVM at run time), else the shared libLLVM.
# Sets TME_HAVE_LLVM. TME_LLVM_CONFIG names an llvm-config to be used instead of the one that is found.

set(TME_HAVE_LLVM OFF)
set(TME_LLVM_CONFIG "" CACHE STRING "llvm-config of LLVM 15 or newer; empty: the newest found")

if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64|amd64)$")
  set(llvm_arch x86)
elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "^(aarch64|arm64)$")
  set(llvm_arch aarch64)
endif()

function(tme_llvm_ask config result)
  execute_process(COMMAND ${config} ${ARGN} OUTPUT_VARIABLE text OUTPUT_STRIP_TRAILING_WHITESPACE
    RESULT_VARIABLE status ERROR_QUIET)
  if(NOT status EQUAL 0)
    set(text "")
  endif()
  set(${result} "${text}" PARENT_SCOPE)
endfunction()

# LLVM's components for the code generator alone.
set(llvm_components ${llvm_arch}codegen ${llvm_arch}desc ${llvm_arch}info core target)

# Takes what one llvm-config offers, if its headers and its libraries of that linkage are there.
function(tme_llvm_try config linkage)
  tme_llvm_ask(${config} version --version)
  if(NOT version MATCHES "^([0-9]+)\\." OR CMAKE_MATCH_1 LESS 15 OR CMAKE_MATCH_1 GREATER 22)
    return()
  endif()
  tme_llvm_ask(${config} include --includedir)
  tme_llvm_ask(${config} files --link-${linkage} --libfiles ${llvm_components})
  tme_llvm_ask(${config} system --link-${linkage} --system-libs ${llvm_components})
  separate_arguments(files)
  separate_arguments(system)
  list(FILTER system EXCLUDE REGEX "libz3") # the archives of the solver are not among the components
  if(NOT files)
    return()
  endif()
  foreach(file IN LISTS files ITEMS ${include}/llvm-c/TargetMachine.h)
    if(NOT EXISTS ${file})
      return()
    endif()
  endforeach()
  set(llvm_version ${version} PARENT_SCOPE)
  set(llvm_include ${include} PARENT_SCOPE)
  set(llvm_libraries ${files} ${system} PARENT_SCOPE)
  set(llvm_linkage ${linkage} PARENT_SCOPE)
endfunction()

if(llvm_arch)
  set(llvm_candidates ${TME_LLVM_CONFIG})
  if(NOT llvm_candidates)
    foreach(v RANGE 22 15 -1)
      list(APPEND llvm_candidates
        /usr/lib/llvm-${v}/bin/llvm-config llvm-config-${v} llvm-config${v} llvm-config-${v}-64)
    endforeach()
    list(APPEND llvm_candidates llvm-config)
  endif()
  # The newest with archives; failing that, the newest.
  foreach(wanted static shared)
    foreach(candidate IN LISTS llvm_candidates)
      if(NOT llvm_linkage)
        unset(llvm_program CACHE)
        find_program(llvm_program ${candidate})
        if(llvm_program)
          tme_llvm_try(${llvm_program} ${wanted})
        endif()
      endif()
    endforeach()
  endforeach()
  unset(llvm_program CACHE)
endif()

if(NOT llvm_linkage)
  message(STATUS "No LLVM 15 to 22 with headers for ${CMAKE_SYSTEM_PROCESSOR}: building without the compiler's module")
  return()
endif()

set(TME_HAVE_LLVM ON)
message(STATUS "LLVM ${llvm_version}, ${llvm_linkage}: ${llvm_include}")

# What the module uses of the library, compiled into it: it exports one symbol and imports none of the library's.
file(GLOB llvm_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/emit/llvm/*.c)
foreach(name base/error base/mem base/grow base/text base/dtype base/half base/convert base/clock base/libm base/special kernel/ix
    kernel/kernel kernel/kernel_verify)
  list(APPEND llvm_sources ${PROJECT_SOURCE_DIR}/src/${name}.c)
endforeach()

enable_language(CXX) # LLVM's archives need the C++ library
add_library(tme-llvm MODULE ${llvm_sources})
target_include_directories(tme-llvm SYSTEM PRIVATE ${llvm_include})
target_link_libraries(tme-llvm PRIVATE tme_common Threads::Threads ${llvm_libraries} m)
set_target_properties(tme-llvm PROPERTIES OUTPUT_NAME tme-llvm LINKER_LANGUAGE CXX)
# One exported symbol: the public functions of the sources above are not to be found here.
set(llvm_exports ${PROJECT_BINARY_DIR}/generated/llvm.map)
file(WRITE ${llvm_exports} "{ global: tme_llvm_module; local: *; };\n")
target_link_options(tme-llvm PRIVATE
  LINKER:--version-script=${llvm_exports} LINKER:--exclude-libs,ALL LINKER:-Bsymbolic LINKER:--gc-sections)
if(llvm_linkage STREQUAL "static" AND NOT TME_SANITIZE)
  target_link_options(tme-llvm PRIVATE -static-libstdc++ -static-libgcc)
  target_compile_definitions(tme-llvm PRIVATE TME_OWN_CXX)
endif()
add_dependencies(tme-llvm tme_generated)
