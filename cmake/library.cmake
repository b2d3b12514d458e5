# libondol.a is ondol_objects itself; libondol.so is the whole of it, with only the API visible.
set_target_properties(ondol_objects PROPERTIES OUTPUT_NAME ondol EXPORT_NAME ondol_static
  ARCHIVE_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR})

# What apps see of the library: the public headers, and the archive to link.
add_library(ondol_api INTERFACE)
target_include_directories(ondol_api INTERFACE ${CMAKE_SOURCE_DIR}/include)
target_link_libraries(ondol_api INTERFACE $<LINK_ONLY:ondol_objects>)

if(ONDOL_SHARED)
  file(CONFIGURE OUTPUT shared.c CONTENT "typedef int the_objects_come_from_the_archive;\n")
  add_library(ondol_shared SHARED ${CMAKE_CURRENT_BINARY_DIR}/shared.c)
  target_include_directories(ondol_shared INTERFACE
    $<BUILD_INTERFACE:${CMAKE_SOURCE_DIR}/include> $<INSTALL_INTERFACE:include>)
  target_link_libraries(ondol_shared PRIVATE
    $<BUILD_INTERFACE:$<LINK_LIBRARY:WHOLE_ARCHIVE,ondol_objects>>
    $<BUILD_INTERFACE:ondol_settings>)
  if(NOT ONDOL_SANITIZE)
    target_link_options(ondol_shared PRIVATE -Wl,--no-undefined)
  endif()
  set_target_properties(ondol_shared PROPERTIES OUTPUT_NAME ondol EXPORT_NAME ondol
    VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR}
    LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR})
endif()
