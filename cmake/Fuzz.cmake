# The targets of libFuzzer, for tests/fuzz: tests/fuzz_NAME.c with the sources that it tries. Needs clang.

set(fuzz_flags -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all)

# main() is libFuzzer's, so that the object library is compiled without it.
file(GLOB fuzz_base CONFIGURE_DEPENDS src/base/*.c)
add_library(fuzz_base OBJECT EXCLUDE_FROM_ALL ${fuzz_base})
target_compile_options(fuzz_base PRIVATE -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all)
target_link_libraries(fuzz_base PRIVATE tme_common tme_dependencies)
add_dependencies(fuzz_base tme_generated)

add_custom_target(fuzzers)
function(tme_fuzzer name)
  add_executable(fuzz_${name} EXCLUDE_FROM_ALL tests/fuzz_${name}.c ${ARGN})
  set_target_properties(fuzz_${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/fuzzers)
  target_compile_options(fuzz_${name} PRIVATE ${fuzz_flags})
  target_link_options(fuzz_${name} PRIVATE ${fuzz_flags})
  target_link_libraries(fuzz_${name} PRIVATE fuzz_base tme_common tme_dependencies)
  add_dependencies(fuzzers fuzz_${name})
endfunction()

file(GLOB fuzz_readers CONFIGURE_DEPENDS src/io/*.c)
list(FILTER fuzz_readers EXCLUDE REGEX "/load\\.c$") # the arrays of the engine
tme_fuzzer(io ${fuzz_readers})
tme_fuzzer(parser cli/lex.c cli/parse.c cli/arena.c)
tme_fuzzer(loader src/backend/cpu/code_elf.c src/backend/cpu/code_reloc.c)
