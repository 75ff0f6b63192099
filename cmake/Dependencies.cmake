# What libtme.so needs: tme_dependencies; what the program needs besides: tme_json. THIRD_PARTY.md says why.

find_package(PkgConfig REQUIRED)
set(THREADS_PREFER_PTHREAD_FLAG ON)
find_package(Threads REQUIRED)

pkg_check_modules(JANSSON REQUIRED IMPORTED_TARGET jansson)
pkg_check_modules(ZLIB REQUIRED IMPORTED_TARGET zlib)

# xxHash is used as a header (XXH_INLINE_ALL).
find_path(XXHASH_INCLUDE_DIR xxhash.h REQUIRED)
mark_as_advanced(XXHASH_INCLUDE_DIR)

add_library(tme_json INTERFACE)
target_link_libraries(tme_json INTERFACE PkgConfig::JANSSON m)

add_library(tme_dependencies INTERFACE)
# As system headers: their warnings are not ours.
target_include_directories(tme_dependencies SYSTEM INTERFACE ${XXHASH_INCLUDE_DIR})
target_link_libraries(tme_dependencies INTERFACE
  m PkgConfig::ZLIB Threads::Threads ${CMAKE_DL_LIBS})
