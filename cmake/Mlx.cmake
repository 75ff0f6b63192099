# The module tme-mlx: MLX's C++ library, found through its Python package. Sets TME_HAVE_MLX and mlx_version.
# TME_MLX_PYTHON names an interpreter that has the package; MLX_ROOT, if given, is the package's folder itself.
# The module keeps the absolute path of libmlx, which stays in its own tree: it finds its kernels and headers from there.

set(TME_HAVE_MLX OFF)
set(TME_MLX_PYTHON "" CACHE STRING "A Python that has the package mlx; empty: python3")

set(mlx_root ${MLX_ROOT})
if(NOT mlx_root)
  set(mlx_python ${TME_MLX_PYTHON})
  if(NOT mlx_python)
    set(mlx_python python3)
  endif()
  execute_process(COMMAND ${mlx_python} -m mlx --cmake-dir OUTPUT_VARIABLE mlx_root RESULT_VARIABLE status
    OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  if(NOT status EQUAL 0)
    set(mlx_root "")
  endif()
endif()

# The package's own configuration defines its targets by the names of the platform's libraries, and asks for CUDA's
# development files where it was built for CUDA. What is needed of it is two folders.
find_path(mlx_include mlx/mlx.h PATHS ${mlx_root}/include NO_DEFAULT_PATH NO_CACHE)
find_library(mlx_library mlx PATHS ${mlx_root}/lib NO_DEFAULT_PATH NO_CACHE)
if(NOT mlx_root OR NOT mlx_include OR NOT mlx_library)
  message(STATUS "No MLX (python -m mlx --cmake-dir): building without its module")
  return()
endif()

set(TME_HAVE_MLX ON)
file(STRINGS ${mlx_include}/mlx/version.h mlx_lines REGEX "^#define MLX_VERSION_(MAJOR|MINOR|PATCH) ")
string(REGEX REPLACE "[^0-9;]" "" mlx_version "${mlx_lines}")
string(REPLACE ";" "." mlx_version "${mlx_version}")
message(STATUS "MLX ${mlx_version}: ${mlx_library}")

enable_language(CXX)
file(GLOB mlx_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/backend/mlx/*.cpp)
cmake_path(GET mlx_library PARENT_PATH mlx_folder)
set(mlx_exports ${PROJECT_BINARY_DIR}/generated/mlx.map)
file(WRITE ${mlx_exports} "{ global: tme_mlx_module; local: *; };\n")

# The module is linked twice, with an other version for the test of the refusal: what knows no version is compiled once.
set(mlx_version_source ${PROJECT_SOURCE_DIR}/src/backend/mlx/module.cpp)
list(REMOVE_ITEM mlx_sources ${mlx_version_source})
add_library(tme_mlx_objects OBJECT ${mlx_sources})

# tme_mlx_common(TARGET): how the module's sources are compiled.
function(tme_mlx_common target)
  target_include_directories(${target} SYSTEM PRIVATE ${mlx_include})
  target_link_libraries(${target} PRIVATE tme_common Threads::Threads)
  set_target_properties(${target} PROPERTIES
    CXX_STANDARD 20 CXX_STANDARD_REQUIRED ON CXX_EXTENSIONS OFF POSITION_INDEPENDENT_CODE ON)
  add_dependencies(${target} tme_generated)
endfunction()
tme_mlx_common(tme_mlx_objects)

# tme_mlx_module(TARGET): the module, as its own library or once more for the test.
function(tme_mlx_module target)
  add_library(${target} MODULE ${mlx_version_source} $<TARGET_OBJECTS:tme_mlx_objects>)
  tme_mlx_common(${target})
  target_link_libraries(${target} PRIVATE ${mlx_library})
  # Bound function by function: a library of another version is asked for its version before anything is missing there.
  target_link_options(${target} PRIVATE LINKER:--version-script=${mlx_exports} LINKER:-z,lazy)
  set_target_properties(${target} PROPERTIES
    OUTPUT_NAME tme-mlx
    # The same when built and when installed: else CMake pads the built one with an empty entry, the current folder.
    INSTALL_RPATH ${mlx_folder} BUILD_WITH_INSTALL_RPATH ON)
endfunction()
tme_mlx_module(tme-mlx)

# The same with a version that no MLX has.
if(TME_TESTS)
  tme_mlx_module(tme-mlx-other)
  target_compile_definitions(tme-mlx-other PRIVATE "TME_MLX_BUILT=\"0.0.0\"")
  set_target_properties(tme-mlx-other PROPERTIES LIBRARY_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests/mlx-other)
endif()

# What the engine costs over MLX itself.
add_executable(mlx_direct EXCLUDE_FROM_ALL bench/mlx_direct.cpp)
target_include_directories(mlx_direct SYSTEM PRIVATE ${mlx_include})
target_link_libraries(mlx_direct PRIVATE tme ${mlx_library})
set_target_properties(mlx_direct PROPERTIES CXX_STANDARD 20 CXX_STANDARD_REQUIRED ON CXX_EXTENSIONS OFF
  RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bench)
add_dependencies(mlx_direct tme-mlx)
