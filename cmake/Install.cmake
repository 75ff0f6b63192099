# Headers, library, module and program, with a pkg-config file and a CMake package for programs outside.

install(TARGETS tme EXPORT tmeTargets
  LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
  INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(FILES include/tme/tme.h include/tme/dlpack.h ${PROJECT_BINARY_DIR}/include/tme/ops.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/tme)

install(TARGETS tme_program RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(FILES ${bench_scripts} DESTINATION ${CMAKE_INSTALL_DATADIR}/tme)
# The library opens its modules from its own folder alone.
foreach(module tme-llvm tme-mlx)
  if(TARGET ${module})
    install(TARGETS ${module} LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
  endif()
endforeach()

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/tme)
install(EXPORT tmeTargets NAMESPACE tme:: DESTINATION ${package_dir})
configure_package_config_file(cmake/tmeConfig.cmake.in tmeConfig.cmake INSTALL_DESTINATION ${package_dir})
# Before 1.0 a minor version may break programs.
write_basic_package_version_file(tmeConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/tmeConfig.cmake ${PROJECT_BINARY_DIR}/tmeConfigVersion.cmake
  DESTINATION ${package_dir})

# Relative to the file itself, so that a moved or staged tree works.
file(RELATIVE_PATH pc_to_prefix ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig ${CMAKE_INSTALL_PREFIX})
configure_file(cmake/tme.pc.in tme.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/tme.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
install(FILES LICENSE THIRD_PARTY.md DESTINATION ${CMAKE_INSTALL_DOCDIR})
