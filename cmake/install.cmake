# Headers, libraries, pkg-config and CMake package files, program, manual page, completions.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(LIBRARIES ondol_objects)
if(ONDOL_SHARED)
  list(APPEND LIBRARIES ondol_shared)
endif()
install(TARGETS ${LIBRARIES} EXPORT OndolTargets
  ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(FILES include/ondol/ondol.h include/ondol/ondol_status.h include/ondol/ondol_experimental.h
  DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/ondol)

set(PACKAGE_FOLDER ${CMAKE_INSTALL_LIBDIR}/cmake/Ondol)
install(EXPORT OndolTargets NAMESPACE Ondol:: DESTINATION ${PACKAGE_FOLDER})
configure_package_config_file(cmake/OndolConfig.cmake.in ${CMAKE_CURRENT_BINARY_DIR}/OndolConfig.cmake
  INSTALL_DESTINATION ${PACKAGE_FOLDER})
write_basic_package_version_file(${CMAKE_CURRENT_BINARY_DIR}/OndolConfigVersion.cmake
  COMPATIBILITY SameMinorVersion)
# The prefix is told from where the .pc file lies, so that `cmake --install --prefix` is free to choose.
file(RELATIVE_PATH PC_PREFIX ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig ${CMAKE_INSTALL_PREFIX})
configure_file(cmake/ondol.pc.in ondol.pc @ONLY)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/OndolConfig.cmake
  ${CMAKE_CURRENT_BINARY_DIR}/OndolConfigVersion.cmake DESTINATION ${PACKAGE_FOLDER})
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/ondol.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

install(TARGETS ondol DESTINATION ${CMAKE_INSTALL_BINDIR})
install(FILES LICENSE NOTICE CHANGELOG.md DESTINATION ${CMAKE_INSTALL_DOCDIR})
if(NOT CMAKE_CROSSCOMPILING)
  set(MADE ${CMAKE_BINARY_DIR}/share)
  install(FILES ${MADE}/ondol.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
  install(FILES ${MADE}/ondol.bash RENAME ondol
    DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions)
  install(FILES ${MADE}/ondol.zsh RENAME _ondol
    DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/site-functions)
  install(FILES ${MADE}/ondol.fish DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d)
endif()
