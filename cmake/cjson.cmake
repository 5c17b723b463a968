# cJSON: the installed one, else its source (given by SVCMGR_CJSON_SOURCE, or fetched at the commit
# of release 1.7.19).  A static executable is always built from source.
if(NOT SVCMGR_MUSL AND NOT CMAKE_CROSSCOMPILING)
    find_package(cJSON QUIET)
endif()
add_library(svcmgr_cjson INTERFACE)
if(cJSON_FOUND)
    target_include_directories(svcmgr_cjson SYSTEM INTERFACE ${CJSON_INCLUDE_DIRS})
    target_link_libraries(svcmgr_cjson INTERFACE ${CJSON_LIBRARIES})
else()
    include(FetchContent)
    if(EXISTS "${SVCMGR_CJSON_SOURCE}/cJSON.c")
        set(FETCHCONTENT_SOURCE_DIR_CJSON "${SVCMGR_CJSON_SOURCE}")
    endif()
    # Its own build would add tests, flags and an install: only the one file is wanted.
    FetchContent_Declare(cjson
        GIT_REPOSITORY https://github.com/DaveGamble/cJSON.git
        GIT_TAG c859b25da02955fef659d658b8f324b5cde87be3
        SOURCE_SUBDIR only-the-source)
    FetchContent_MakeAvailable(cjson)
    file(MAKE_DIRECTORY ${CMAKE_BINARY_DIR}/include/cjson)
    configure_file(${cjson_SOURCE_DIR}/cJSON.h ${CMAKE_BINARY_DIR}/include/cjson/cJSON.h COPYONLY)
    add_library(svcmgr_cjson_source STATIC ${cjson_SOURCE_DIR}/cJSON.c)
    target_include_directories(svcmgr_cjson_source SYSTEM PUBLIC ${CMAKE_BINARY_DIR}/include)
    target_link_libraries(svcmgr_cjson_source PRIVATE $<$<NOT:$<PLATFORM_ID:Windows>>:m>)
    # Else its functions are exported on Windows, from an executable too.
    target_compile_definitions(svcmgr_cjson_source PUBLIC CJSON_HIDE_SYMBOLS)
    set_target_properties(svcmgr_cjson_source PROPERTIES ARCHIVE_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/lib)
    target_link_libraries(svcmgr_cjson INTERFACE svcmgr_cjson_source)
endif()
